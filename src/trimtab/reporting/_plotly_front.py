"""The front as a Plotly figure; a click on a mark shows its chain beside it (see ``front.js``)."""

from __future__ import annotations

import math
from typing import Any

from trimtab.reporting._front import ROLES, Front, Mark
from trimtab.reporting._front_looks import FORBIDDEN, LIMIT, LOOKS, named_places
from trimtab.reporting._lettering import for_plotly
from trimtab.reporting._placement import log_ticks
from trimtab.reporting._plotly_layout import plain_layout

__all__ = ["front_figure"]

_IN_LANES = ("refused", "below")  # the lanes have names of their own
_WIDE, _NARROW = (560.0, 330.0), (250.0, 300.0)  # pixels that the plotting area has, about


def front_figure(chart: Front) -> dict[str, Any]:
    """Returns the figure; each mark carries the word that ties it to its chain."""
    layout = plain_layout(chart.x_title, chart.y_title, 490)
    layout["margin"] |= {"t": 30}
    layout["legend"] = {"orientation": "h", "x": 0, "y": -0.18, "yanchor": "top", "itemclick": False}
    layout["hovermode"] = "closest"
    layout["xaxis"] |= {"type": "log" if chart.log_x else "linear", "range": list(chart.x_range)}
    if chart.log_x:
        ticks = log_ticks(*chart.x_range)
        layout["xaxis"] |= {"tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}
    layout["yaxis"] |= {
        "range": list(chart.y_range),
        "tickvals": [*chart.y_ticks, *(height for height, _ in chart.lanes)],
        "ticktext": [
            *(f"{tick:g}" for tick in chart.y_ticks),
            *(f"<i>{words}</i>" for _, words in chart.lanes),
        ],
    }
    layout["annotations"] = _words(chart)
    traces = [*_forbidden(chart), *_lanes(chart), *_steps(chart)]
    for role in ROLES:
        marks = [mark for mark in chart.marks if mark.role == role]
        for keeps in (True, False):
            chosen = [mark for mark in marks if mark.keeps == keeps]
            if chosen:
                first = keeps or all(not mark.keeps for mark in marks)
                traces.append(_marks(chart, chosen, role, keeps, first and role not in _IN_LANES))
    return {"data": [*traces, _picked()], "layout": layout}


def _forbidden(chart: Front) -> list[dict[str, Any]]:
    """Returns the shade over what the budget forbids, and the limits as lines."""
    (left, right), (low, high) = chart.ends, chart.y_range
    drawn = []
    if chart.most is not None:
        at = chart.most[0]
        drawn.append(([at, right, right, at], [low, low, high, high], [at, at], [low, high]))
    if chart.least is not None:
        at = chart.least[0]
        drawn.append(([left, right, right, left], [low, low, at, at], [left, right], [at, at]))
    shades = [{**_SILENT, **_SHADE, "x": xs, "y": ys} for xs, ys, _, _ in drawn]
    lines = [{**_SILENT, **_LINE, "x": xs, "y": ys} for _, _, xs, ys in drawn]
    return [*shades, *({**line, "showlegend": line is lines[0]} for line in lines)]


_SILENT: dict[str, Any] = {"type": "scatter", "hoverinfo": "skip", "showlegend": False, "mode": "lines"}
_SHADE: dict[str, Any] = {"fill": "toself", "fillcolor": FORBIDDEN, "line": {"width": 0}}
_LINE: dict[str, Any] = {"name": "the budget", "line": {"color": LIMIT, "width": 1.5, "dash": "dash"}}


def _lanes(chart: Front) -> list[dict[str, Any]]:
    """Returns the line that parts the lanes from the picture."""
    if not chart.lanes:
        return []
    line = {"color": "#9aa3af", "width": 1}
    return [{**_SILENT, "x": list(chart.ends), "y": [chart.floor] * 2, "line": line}]


def _steps(chart: Front) -> list[dict[str, Any]]:
    if len(chart.steps) < 2:
        return []
    xs, ys = zip(*chart.steps, strict=True)
    line = {"color": LOOKS["front"].colour, "width": 1.6}
    return [{**_SILENT, "x": xs, "y": ys, "line": line, "opacity": 0.6}]


def _marks(chart: Front, marks: list[Mark], role: str, keeps: bool, named: bool) -> dict[str, Any]:
    """Returns the marks of one role; those that break the budget are hollow."""
    look = LOOKS[role]
    symbol = look.symbol if keeps else f"{look.symbol}-open"
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": ROLES[role],
        "legendgroup": role,
        "showlegend": named,
        "x": [mark.x for mark in marks],
        "y": [mark.y for mark in marks],
        "customdata": [mark.id for mark in marks],
        "hovertext": [_hover(mark) for mark in marks],
        "hoverinfo": "text",
        "marker": {"symbol": symbol, "size": look.size, "color": look.colour, "opacity": look.opacity},
        "cliponaxis": False,
    }
    if not look.strong:
        return trace
    wide, narrow = named_places(chart, *_WIDE), named_places(chart, *_NARROW)
    trace["marker"]["line"] = {"width": 1.5 if keeps else 2, "color": "#ffffff" if keeps else look.colour}
    return trace | {
        "mode": "markers+text",
        "text": [_name(mark) for mark in marks],
        "textposition": [wide[mark.id] for mark in marks],
        "meta": {
            "narrow": [narrow[mark.id] for mark in marks],
            "narrow_text": [_name(mark) if role in ("chosen", "baseline") else "" for mark in marks],
            "hollow": not keeps,
        },
        "error_y": _errors(marks),
    }


def _name(mark: Mark) -> str:
    name = for_plotly(mark.name, 28)
    return f"<b>{name}</b>" if mark.role == "chosen" else name


def _hover(mark: Mark) -> str:
    return "<br>".join([f"<b>{for_plotly(mark.name)}</b>", *(for_plotly(line, 90) for line in mark.hover)])


def _errors(marks: list[Mark]) -> dict[str, Any]:
    """Returns the 95 % intervals as bars."""
    if not any(mark.y_interval for mark in marks):
        return {"visible": False}
    return {
        "type": "data",
        "symmetric": False,
        "array": [mark.y_interval[1] - mark.y if mark.y_interval else 0 for mark in marks],
        "arrayminus": [mark.y - mark.y_interval[0] if mark.y_interval else 0 for mark in marks],
        "color": "#7f8794",
        "thickness": 1.2,
        "width": 4,
    }


def _words(chart: Front) -> list[dict[str, Any]]:
    """Returns the words at the limits."""
    plain = {"showarrow": False, "font": {"size": 12, "color": LIMIT}}
    words = []
    if chart.most is not None:
        at = (chart.most[0] - chart.ends[0]) / (chart.ends[1] - chart.ends[0])
        if chart.log_x:
            at = (math.log10(chart.most[0]) - chart.x_range[0]) / (chart.x_range[1] - chart.x_range[0])
        place = {"xref": "paper", "x": at, "yref": "paper", "y": 1, "yanchor": "bottom"}
        anchor = "left" if at < 0.12 else "right" if at > 0.88 else "center"
        words.append({**plain, **place, "xanchor": anchor, "text": chart.most[1]})
    if chart.least is not None:
        place = {"xref": "paper", "x": 1, "yref": "y", "y": chart.least[0], "yanchor": "bottom"}
        words.append({**plain, **place, "xanchor": "right", "text": chart.least[1]})
    return words


def _picked() -> dict[str, Any]:
    """Returns the ring around the mark whose chain is shown; the page moves it."""
    ring = {
        "symbol": "circle-open",
        "size": 25,
        "color": "#7f8794",
        "line": {"width": 2.5, "color": "#7f8794"},
    }
    return {
        **_SILENT,
        "mode": "markers",
        "name": "picked",
        "x": [],
        "y": [],
        "marker": ring,
        "meta": {"picked": True},
    }
