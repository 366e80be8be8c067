"""Charts of behaviour as Plotly figures."""

from __future__ import annotations

from typing import Any

from trimtab.reporting._behaviour_chart import DotLine, Dumbbell, Dumbbells, Panels, Reliability
from trimtab.reporting._lettering import for_plotly
from trimtab.reporting._plotly_layout import plain_layout

__all__ = ["dumbbells_figure", "panels_figure", "reliability_figure"]

_GAP = 0.12
"""Room between panels, as a share of the figure."""


def dumbbells_figure(chart: Dumbbells) -> dict[str, Any]:
    """Returns each class from its accuracy before (ring) to that after (dot)."""
    places = list(range(len(chart.changes)))
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [change.before, change.after],
            "y": [place, place],
            "line": {"color": change.colour, "width": 3},
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for place, change in enumerate(chart.changes)
    ]
    for name, symbol, values in (
        (f"{chart.before_name} (before)", "circle-open", [change.before for change in chart.changes]),
        (f"{chart.after_name} (after)", "circle", [change.after for change in chart.changes]),
    ):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": for_plotly(name),
                "x": values,
                "y": places,
                "marker": {
                    "symbol": symbol,
                    "size": 11,
                    "opacity": 1,
                    "color": [change.colour for change in chart.changes],
                },
                "hovertext": [_hover(change) for change in chart.changes],
                "hoverinfo": "text",
            }
        )
    layout = plain_layout(chart.x_title, "", 150 + 27 * max(len(places), 3))
    layout["margin"] |= {"t": 54, "r": 56}
    layout["title"] = {
        "text": for_plotly(chart.subtitle, 110),
        "x": 0,
        "y": 1,
        "pad": {"t": 8},
        "font": {"size": 13},
    }
    layout["xaxis"] |= {"range": list(chart.x_range), "tickvals": list(chart.ticks)}
    layout["yaxis"] |= {
        "tickvals": places,
        "ticktext": [f"{for_plotly(change.label, 22)}  " for change in chart.changes],
        "range": [len(places) - 0.4, -0.6],
        "showgrid": False,
    }
    layout["annotations"] = [
        {
            "xref": "paper", "x": 1, "xanchor": "right", "xshift": 46, "y": place, "showarrow": False,
            "text": f"<b>{change.shown}</b>" if change.strong else change.shown,
            **({"font": {"color": change.colour}} if change.strong else {}),
        }
        for place, change in enumerate(chart.changes)
    ]  # fmt: skip
    return {"data": traces, "layout": layout}


def _hover(change: Dumbbell) -> str:
    first, *rest = change.hover
    return "<br>".join([f"<b>{for_plotly(first)}</b>", *map(for_plotly, rest)])


def reliability_figure(chart: Reliability) -> dict[str, Any]:
    """Returns accuracy against confidence, beside the diagonal."""
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "name": "right as often as sure",
        "x": [0, 100],
        "y": [0, 100],
        "line": {"color": "#9aa3af", "width": 1.2, "dash": "dot"},
        "hoverinfo": "skip",
    }
    traces = [_trace(line, [6 + 26 * dot.share**0.5 for dot in line.dots]) for line in chart.lines]
    for trace in traces:
        trace["line"]["width"] = 0.8  # the dots are what counts
        trace["cliponaxis"] = False
    layout = plain_layout(chart.x_title, chart.y_title, 440)
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"range": [-2, 103]}
    return {"data": [diagonal, *traces], "layout": layout}


def panels_figure(chart: Panels) -> dict[str, Any]:
    """Returns accuracy by strength, two panels in a row, under one legend."""
    columns = min(2, len(chart.panels))
    rows = -(-len(chart.panels) // columns)
    layout = plain_layout("", chart.y_title, 110 + 235 * rows)
    layout |= {"annotations": [], "margin": {"l": 56, "r": 16, "t": 12, "b": 48}}
    traces = []
    for place, panel in enumerate(chart.panels):
        row, column = divmod(place, columns)
        number = str(place + 1) if place else ""
        left, right = _extent(column, columns, _GAP / 2)
        low, high = _extent(rows - 1 - row, rows, 1.9 * _GAP)
        title = chart.y_title if column == 0 else ""
        layout[f"xaxis{number}"] = {
            "domain": [left, right], "anchor": f"y{number}", "zeroline": False,
            "tickvals": list(panel.ticks), "ticktext": [f"{tick:g}" for tick in panel.ticks],
            "title": {"text": for_plotly(panel.x_title, 48), "standoff": 8},
        }  # fmt: skip
        layout[f"yaxis{number}"] = {
            "domain": [low, high], "anchor": f"x{number}", "zeroline": False, "range": list(chart.y_range),
            "title": {"text": title, "standoff": 8},
        }  # fmt: skip
        layout["annotations"].append(
            {
                "xref": "paper", "yref": "paper", "x": left, "y": high, "xanchor": "left",
                "yanchor": "bottom", "text": f"<b>{for_plotly(panel.title, 40)}</b>", "showarrow": False,
            }
        )  # fmt: skip
        for line in panel.lines:
            trace = _trace(line, [8.0] * len(line.dots))
            traces.append(
                {
                    **trace, "xaxis": f"x{number}", "yaxis": f"y{number}", "legendgroup": line.name,
                    "showlegend": place == 0,
                }
            )  # fmt: skip
    layout["legend"] |= {"y": 1.08}
    return {"data": traces, "layout": layout}


def _extent(place: int, of: int, gap: float) -> tuple[float, float]:
    """Returns where one of several panels begins and ends along an axis, 0 to 1."""
    size = (1 - gap * (of - 1)) / of
    start = place * (size + gap)
    return round(start, 4), round(min(start + size, 1.0), 4)


def _trace(line: DotLine, sizes: list[float]) -> dict[str, Any]:
    """Returns a line with its dots and their intervals; hidden until asked for unless it is a first one."""
    ends = [dot.interval or (dot.y, dot.y) for dot in line.dots]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": for_plotly(line.name),
        "visible": True if line.first else "legendonly",
        "x": [dot.x for dot in line.dots],
        "y": [dot.y for dot in line.dots],
        "line": {"color": line.colour, "width": 2},
        "marker": {
            "color": line.colour,
            "size": sizes,
            "opacity": 1,
            "line": {"width": 1, "color": "#ffffff"},
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(end[1] - dot.y, 0) for dot, end in zip(line.dots, ends, strict=True)],
            "arrayminus": [max(dot.y - end[0], 0) for dot, end in zip(line.dots, ends, strict=True)],
            "color": line.colour,
            "thickness": 1,
            "width": 3,
        },
        "hovertext": ["<br>".join(map(for_plotly, dot.hover)) for dot in line.dots],
        "hoverinfo": "text",
    }
