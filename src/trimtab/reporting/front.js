
"use strict";
(() => {
  const explorer = document.getElementById("explorer");
  if (!explorer) return;
  const figures = JSON.parse(document.getElementById("charts").textContent);
  const list = document.getElementById("pick");
  const hosts = [...explorer.querySelectorAll("[data-chart]")];

  // Where a mark stands in a chart; charts of other costs may lack it.
  const places = (host, id) => figures[host.dataset.chart].data.flatMap((trace) => {
    const at = (trace.customdata ?? []).indexOf(id);
    return at < 0 ? [] : [[trace.x[at], trace.y[at]]];
  });

  const ring = (id) => hosts.forEach((host) => {
    if (!host.data) return; // not drawn yet, or shown as a picture
    const [x, y] = places(host, id)[0] ?? [];
    const trace = host.data.findIndex((each) => each.meta?.picked);
    Plotly.restyle(host, { x: [x === undefined ? [] : [x]], y: [y === undefined ? [] : [y]] }, [trace]);
  });

  const pick = (id) => {
    const chosen = document.getElementById(id);
    if (!chosen) return;
    explorer.querySelectorAll(".chain").forEach((each) => each.classList.toggle("picked", each === chosen));
    list.value = id;
    ring(id);
  };

  explorer.classList.add("picking");
  list.parentElement.hidden = false;
  list.addEventListener("change", () => pick(list.value));
  pick(list.value); // a browser may remember what was chosen before
  document.addEventListener("drawn", () => {
    hosts.forEach((host) => {
      host.removeAllListeners?.("plotly_click");
      host.on?.("plotly_click", ({ points }) => points[0]?.customdata && pick(points[0].customdata));
    });
    ring(list.value);
  });
})();
