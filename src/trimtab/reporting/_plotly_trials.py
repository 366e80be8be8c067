"""The charts of a tuning as Plotly figures."""

from __future__ import annotations

from typing import Any

from trimtab.reporting._lettering import for_plotly
from trimtab.reporting._palette import BLUES, SERIES_COLOURS
from trimtab.reporting._plotly_layout import plain_layout
from trimtab.reporting._trials_chart import Mark, Parallel, Strand, Trials

__all__ = ["parallel_figure", "trials_figure"]

_KINDS = (
    ("complete", "finished", SERIES_COLOURS[0], "circle"),
    ("cut", "cut short", SERIES_COLOURS[5], "x-thin-open"),
    ("unfinished", "not finished", "#7f8794", "circle-open"),
)
_BEST, _BASELINE, _NO_RESULT = SERIES_COLOURS[1], SERIES_COLOURS[2], "#c9ced6"


def trials_figure(chart: Trials) -> dict[str, Any]:
    """Returns the best so far over the trials."""
    traces: list[dict[str, Any]] = []
    if chart.baseline is not None:
        last = chart.best[-1][0]
        traces.append(
            {
                "type": "scatter", "mode": "lines", "name": "baseline", "hoverinfo": "skip",
                "x": [0, last], "y": [chart.baseline] * 2,
                "line": {"color": _BASELINE, "width": 1.6, "dash": "dash"},
            }
        )  # fmt: skip
    traces.append(
        {
            "type": "scatter", "mode": "lines", "name": "best so far", "hoverinfo": "skip",
            "x": [number for number, _ in chart.best], "y": [value for _, value in chart.best],
            "line": {"color": _BEST, "width": 2.4, "shape": "hv"},
        }
    )  # fmt: skip
    for state, name, colour, symbol in _KINDS:
        marks = [mark for mark in chart.marks if mark.state == state]
        if marks:
            traces.append(_marks(chart, marks, name, colour, symbol))
    layout = plain_layout("Trial", chart.y_title, 380)
    numbers = [mark.number for mark in chart.marks]
    layout["xaxis"] |= {"range": [-0.6, max(numbers) + 0.6]}
    if max(numbers) <= 12:
        layout["xaxis"] |= {"dtick": 1}
    layout["yaxis"] |= {"range": list(chart.y_range)}
    return {"data": traces, "layout": layout}


def _marks(chart: Trials, marks: list[Mark], name: str, colour: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [mark.number for mark in marks],
        "y": [chart.clipped(mark) for mark in marks],
        "hovertext": [
            "<br>".join([f"<b>trial {mark.number}</b>", *map(for_plotly, mark.hover)]) for mark in marks
        ],
        "hoverinfo": "text",
        "marker": {
            "color": colour,
            "symbol": symbol,
            "size": 9,
            "opacity": 1,
            # A cross is nothing but its line; the page gives lines of markers its own colour otherwise.
            **({"line": {"width": 1.2, "color": "#ffffff"}} if symbol == "circle" else {}),
        },
    }


def parallel_figure(chart: Parallel) -> dict[str, Any]:
    """Returns the trials as lines across upright axes. Plotly's own needs a script that writes scripts."""
    count = len(chart.rails)
    traces = [_strand(strand) for strand in chart.strands]
    layout = plain_layout("", "", 460)
    bottom = -0.2 if chart.unused else -0.07
    layout["xaxis"] |= {
        "tickvals": list(range(count)),
        "ticktext": [for_plotly(rail.name, 18) for rail in chart.rails],
        "range": [-0.35, count - 0.65],
        "side": "top",
        "showgrid": False,
        "fixedrange": True,
    }
    layout["yaxis"] |= {"visible": False, "range": [bottom, 1.06], "fixedrange": True}
    layout["showlegend"] = any(strand.role for strand in chart.strands)
    layout["legend"] |= {"y": -0.02, "yanchor": "top"}
    layout["hovermode"] = "closest"
    layout["shapes"] = [
        {
            "type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "layer": "below",
            "line": {"color": "#9aa3af", "width": 1},
        }
        for at in range(count)
    ]  # fmt: skip
    layout["annotations"] = [
        _annotation(at, place, text) for at, rail in enumerate(chart.rails) for place, text in rail.ticks
    ]
    if chart.unused:
        layout["annotations"].append(_annotation(0, -0.13, "not used"))
    return {"data": traces, "layout": layout}


def _annotation(at: int, place: float, text: str) -> dict[str, Any]:
    return {
        "x": at, "y": place, "text": for_plotly(text, 16), "showarrow": False, "xanchor": "left",
        "xshift": 4, "font": {"size": 11},
    }  # fmt: skip


def _strand(strand: Strand) -> dict[str, Any]:
    colour = {"best": _BEST, "baseline": _BASELINE}.get(strand.role) or _shade(strand.shade)
    width = 3.2 if strand.role else 1.1 if strand.shade is None else 1.8
    dash = "dash" if strand.role == "baseline" else "dot" if strand.shade is None else "solid"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"{strand.role} ({strand.name})" if strand.role else strand.name,
        "showlegend": bool(strand.role),
        "x": list(range(len(strand.places))),
        "y": list(strand.places),
        "hovertext": "<br>".join([f"<b>{strand.name}</b>", *map(for_plotly, strand.hover)]),
        "hoverinfo": "text",
        "line": {"color": colour, "width": width, "dash": dash},
        "marker": {"color": colour, "size": 7 if strand.role else 5, "opacity": 1},
    }


def _shade(shade: float | None) -> str:
    """Returns a blue that is the darker the better the trial; grey for one without a result."""
    return _NO_RESULT if shade is None else BLUES[2 + round(shade * (len(BLUES) - 3))]
