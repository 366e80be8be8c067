"""Rows of dots as a Plotly figure."""

from __future__ import annotations

from typing import Any

from trimtab.reporting._chart import DotRow, Dots
from trimtab.reporting._lettering import for_plotly
from trimtab.reporting._plotly_layout import plain_layout

__all__ = ["dots_figure"]

_GREY = "#7f8794"


def dots_figure(chart: Dots) -> dict[str, Any]:
    """Returns a dot plot as a Plotly figure, plain data for JSON."""
    (alone, blue), (spared, green) = chart.series
    others = [*chart.drawn(1, True), *chart.drawn(1, False)]
    traces = [
        *_reference(chart),
        *_gains(chart, others, green),
        *_dots(others, spared, green, "diamond-open", 9),
        *_dots(chart.drawn(0, False), alone, blue, "circle", 9),
        *_dots(chart.drawn(0, True), *chart.marked, "circle", 11),
        *_words(chart),
    ]
    layout = plain_layout(chart.x_title, chart.y_title, 200 + 24 * max(len(chart.rows), 3))
    # The legend has the chart's whole width: above the axes alone it wraps, and covers the first rows.
    longest = max((len(row.label) for row in chart.rows), default=0)
    layout["margin"] |= {"t": 62, "l": 44 + round(6.9 * min(longest, 52))}
    top = {"xref": "container", "yref": "container", "y": 1.0, "yanchor": "top"}
    layout["legend"] |= {**top, "traceorder": "reversed"}
    layout["xaxis"] |= {"range": list(chart.x_range)}
    layout["yaxis"] |= {
        "tickvals": list(range(len(chart.rows))),
        "ticktext": [_label(row) for row in chart.rows],
        "range": [len(chart.rows) - 0.4, -0.6],
        "ticks": "",
    }
    return {"data": traces, "layout": layout}


def _label(row: DotRow) -> str:
    label = for_plotly(row.label, 52)
    return f"<b>{label}</b>  " if row.marked else f"{label}  "


def _reference(chart: Dots) -> list[dict[str, Any]]:
    """Returns the line that all are compared with."""
    if chart.reference is None:
        return []
    name, value = chart.reference
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": for_plotly(name),
            "x": [value, value],
            "y": [-0.6, len(chart.rows) - 0.4],
            "line": {"color": _GREY, "width": 1.5, "dash": "dash"},
            "hoverinfo": "skip",
        }
    ]


def _gains(chart: Dots, found: list[tuple[int, float, DotRow]], colour: str) -> list[dict[str, Any]]:
    """Returns lines from what all are compared with to the open dots."""
    if chart.reference is None or not found:
        return []
    start = chart.reference[1]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "showlegend": False,
            "x": [end for _, value, _ in found for end in (start, value, None)],
            "y": [end for at, _, _ in found for end in (at, at, None)],
            "line": {"color": colour, "width": 2},
            "hoverinfo": "skip",
        }
    ]


def _dots(
    found: list[tuple[int, float, DotRow]], name: str, colour: str, symbol: str, size: int
) -> list[dict[str, Any]]:
    if not found:
        return []
    filled = symbol == "circle"
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": for_plotly(name),
            "x": [value for _, value, _ in found],
            "y": [at for at, _, _ in found],
            "marker": {
                "symbol": symbol,
                "size": size,
                "color": colour,
                "opacity": 1,
                "line": {"width": 1, "color": "#ffffff"} if filled else {"width": 2},
            },
            "hovertext": [_hover(row) for _, _, row in found],
            "hoverinfo": "text",
            "cliponaxis": False,
        }
    ]


def _words(chart: Dots) -> list[dict[str, Any]]:
    """Returns what is told behind the dots."""
    found = [(at, row) for at, row in enumerate(chart.rows) if row.told]
    if not found:
        return []
    return [
        {
            "type": "scatter",
            "mode": "text",
            "x": [max(value for value in row.values if value is not None) for _, row in found],
            "y": [at for at, _ in found],
            "text": [f"\u00a0\u00a0\u00a0{for_plotly(row.told)}" for _, row in found],
            "textposition": "middle right",
            "textfont": {"size": 12},
            "hoverinfo": "skip",
            "showlegend": False,
            "cliponaxis": False,
        }
    ]


def _hover(row: DotRow) -> str:
    first, *rest = (for_plotly(line, 90) for line in row.hover)
    return "<br>".join([f"<b>{first}</b>", *rest])
