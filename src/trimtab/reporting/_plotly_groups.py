"""Groups of channels as a Plotly figure: a line of words for each, with its bars below."""

from __future__ import annotations

from typing import Any

from trimtab.reporting._chart import GroupRow, Groups
from trimtab.reporting._lettering import for_plotly
from trimtab.reporting._plotly_layout import plain_layout

__all__ = ["groups_figure"]

_WIDE, _NARROW = 74, 42  # letters that fit beside each other on a desk, and on a phone


def groups_figure(chart: Groups) -> dict[str, Any]:
    """Returns groups of channels as a Plotly figure, plain data for JSON."""
    traces = [trace for number in range(len(chart.series)) for trace in _bars(chart, number)]
    traces.append(_words(chart))
    tall = 44 if chart.lanes < 3 else 22 + 9 * chart.lanes
    layout = plain_layout(chart.x_title, "", 126 + tall * max(len(chart.rows), 2))
    layout["barmode"] = "overlay"
    layout["showlegend"] = len({trace["name"] for trace in traces if trace.get("showlegend")}) > 1
    layout["legend"] |= {"yanchor": "bottom", "y": 1.0, "traceorder": "normal"}
    layout["xaxis"] |= {
        "range": [0, 1.28 * chart.end],
        "tickvals": list(chart.ticks),
        "ticktext": [f"{tick:g} %" for tick in chart.ticks],
    }
    layout["yaxis"] |= {
        "range": [len(chart.rows) - 0.45, -0.55],
        "showgrid": False,
        "showticklabels": False,
        "ticks": "",
    }
    return {"data": traces, "layout": layout}


def _bars(chart: Groups, number: int) -> list[dict[str, Any]]:
    """Returns the bars of one series, and the numbers behind them."""
    name, colour, opacity = chart.series[number]
    found = [(at, row, strip) for at, row in enumerate(chart.rows) for strip in row.strips]
    found = [entry for entry in found if entry[2].series == number]
    if not found:
        return []
    centres = [at + chart.places[strip.lane][0] for at, _, strip in found]
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "showlegend": True,
        "y": centres,
        "x": [strip.length for _, _, strip in found],
        "base": [strip.start for _, _, strip in found],
        "width": [chart.places[strip.lane][1] for _, _, strip in found],
        "marker": {"color": _mixed(colour, opacity)},
        "hovertext": [_hover(row) for _, row, _ in found],
        "hoverinfo": "text",
    }
    written = [(centre, strip) for centre, (_, _, strip) in zip(centres, found, strict=True) if strip.shown]
    if not written:
        return [bars]
    numbers = {
        "type": "scatter",
        "mode": "text",
        "name": name,
        "x": [strip.start + strip.length for _, strip in written],
        "y": [centre for centre, _ in written],
        "text": [f" {for_plotly(strip.shown)}" for _, strip in written],
        "textposition": "middle right",
        "textfont": {"size": 12 if chart.lanes == 1 else 10},
        "hoverinfo": "skip",
        "showlegend": False,
        "cliponaxis": False,
    }
    return [bars, numbers]


def _mixed(colour: str, opacity: float) -> str:
    """Returns a colour that lets some of the page's own through; the legend shows it so too."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def _words(chart: Groups) -> dict[str, Any]:
    """Returns the lines of words; a phone gets shorter ones."""
    places = ["middle right"] * len(chart.rows)
    return {
        "type": "scatter",
        "mode": "text",
        "name": "groups",
        "x": [0] * len(chart.rows),
        "y": [at + chart.words_at for at in range(len(chart.rows))],
        "text": [_line(row, _WIDE) for row in chart.rows],
        "textposition": places,
        "textfont": {"size": 12},
        "meta": {"narrow": places, "narrow_text": [_line(row, _NARROW) for row in chart.rows]},
        "hovertext": [_hover(row) for row in chart.rows],
        "hoverinfo": "text",
        "showlegend": False,
        "cliponaxis": False,
    }


def _line(row: GroupRow, room: int) -> str:
    name, rest = (for_plotly(word, room) for word in row.words(room))
    return f"<b>{name}</b>  {'<i>' + rest + '</i>' if row.reason else rest}".rstrip()


def _hover(row: GroupRow) -> str:
    return "<br>".join([f"<b>{for_plotly(row.name)}</b>", *(for_plotly(line, 90) for line in row.hover)])
