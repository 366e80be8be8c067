"use strict";
(() => {
  if (typeof Plotly === "undefined") return; // the pictures are on the page already
  const figures = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const pointer = matchMedia("(pointer: fine)").matches;
  const hosts = [...document.querySelectorAll("[data-chart]")].filter((host) => figures[host.dataset.chart]);

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    return { ink: read("--ink"), muted: read("--muted"), line: read("--line"), card: read("--card"), font: style.fontFamily };
  };

  const themed = (layout) => {
    const c = colours();
    const axis = (given) => ({
      gridcolor: c.line, linecolor: c.line, tickcolor: c.line, fixedrange: !pointer, ...given,
      tickfont: { color: c.muted, size: 12 },
      title: { ...given.title, font: { color: c.muted, size: 12.5 } },
    });
    return {
      ...layout,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { family: c.font, color: c.ink, size: 12.5 },
      ...Object.fromEntries(Object.entries(layout).filter(([name]) => /^[xy]axis/.test(name)).map(([name, given]) => [name, axis(given)])),
      hoverlabel: { ...layout.hoverlabel, bgcolor: c.card, bordercolor: c.line, font: { color: c.ink, family: c.font, size: 13 } },
    };
  };

  // Names stand where there is room at this width, and markers are set off from the page's own colour.
  const suited = (traces, host) => traces.map((trace) => ({
    ...trace,
    ...(trace.meta?.narrow && host.clientWidth < 480 ? { textposition: trace.meta.narrow, text: trace.meta.narrow_text } : {}),
    ...(trace.marker?.line && !trace.meta?.hollow && !trace.meta?.picked ? { marker: { ...trace.marker, line: { ...trace.marker.line, color: colours().card } } } : {}),
  }));

  const draw = () => Promise.all(hosts.map(async (host) => {
    const { data, layout } = figures[host.dataset.chart];
    const box = host.closest("figure");
    box.classList.add("drawn"); // before drawing: what is hidden has no width to draw for
    try {
      const traces = suited(structuredClone(data), host);
      await Plotly.react(host, traces, themed(structuredClone(layout)), { responsive: true, displayModeBar: false });
    } catch (error) {
      box.classList.remove("drawn"); // the picture is shown instead
      throw error;
    }
  }));

  const show = () => draw().then(() => {
    document.documentElement.dataset.charts = "drawn";
    document.dispatchEvent(new Event("drawn"));
  });
  show();
  dark.addEventListener("change", show);
  matchMedia("(max-width: 620px)").addEventListener("change", show);
})();
