"""Charts as Plotly figures in plain JSON: what the page draws, in the reader's light or dark colours."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any

from trimtab.reporting._behaviour_chart import Dumbbells, Panels, Reliability
from trimtab.reporting._chart import (
    Bar,
    Bars,
    Chart,
    Curves,
    Dots,
    Groups,
    Heat,
    Matrix,
    Point,
    Scatter,
)
from trimtab.reporting._front import Front
from trimtab.reporting._lettering import for_plotly
from trimtab.reporting._palette import BLUES, KIND_COLOURS, REDS
from trimtab.reporting._placement import limits, log_ticks, places
from trimtab.reporting._plotly_behaviour import dumbbells_figure, panels_figure, reliability_figure
from trimtab.reporting._plotly_dots import dots_figure
from trimtab.reporting._plotly_front import front_figure
from trimtab.reporting._plotly_groups import groups_figure
from trimtab.reporting._plotly_layout import plain_layout
from trimtab.reporting._plotly_trials import parallel_figure, trials_figure
from trimtab.reporting._trials_chart import Parallel, Trials

__all__ = ["figure"]

_WHISKER = {"color": "#7f8794", "thickness": 1.2, "width": 4}


@singledispatch
def figure(chart: Chart) -> dict[str, Any]:
    """Returns a chart as a Plotly figure: ``{"data": [...], "layout": {...}}``, plain data for JSON.

    Colours of text, grid and background are left to the page, which knows whether it is dark.
    """
    raise TypeError(f"no Plotly form for {type(chart).__name__}")


figure.register(Groups, groups_figure)
figure.register(Dots, dots_figure)
figure.register(Dumbbells, dumbbells_figure)
figure.register(Reliability, reliability_figure)
figure.register(Panels, panels_figure)
figure.register(Trials, trials_figure)
figure.register(Parallel, parallel_figure)
figure.register(Front, front_figure)


@figure.register
def _scatter(chart: Scatter) -> dict[str, Any]:
    # A phone leaves less room for names: the page picks those, and their places, that suit its width.
    few = tuple(replace(point, name=name) for point, name in zip(chart.points, _few(chart), strict=True))
    where = list(zip(places(chart.points, chart.log_x), places(few, chart.log_x, 235.0), strict=True))
    unnamed = {point.name for point, short in zip(chart.points, few, strict=True) if not short.name}
    traces: list[dict[str, Any]] = []
    best = sorted((point.x, point.y) for point in chart.points if point.best)
    if len(best) > 1:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "best trade-off",
                "x": [x for x, _ in best],
                "y": [y for _, y in best],
                "line": {"color": "#9aa3af", "width": 1.5, "dash": "dot"},
                "hoverinfo": "skip",
            }
        )
    for kind, name, symbol in (("keras", "Keras model", "circle"), ("litert", "LiteRT file", "diamond")):
        chosen = [
            (point, place) for point, place in zip(chart.points, where, strict=True) if point.kind == kind
        ]
        if chosen:
            traces.append(_points(chosen, name, symbol, unnamed))
    (left, right), (low, high) = limits(chart.points, chart.log_x)
    layout = plain_layout(chart.x_title, chart.y_title, 420)
    layout["xaxis"] |= {"type": "log" if chart.log_x else "linear", "range": [left, right]}
    if chart.log_x:
        ticks = log_ticks(left, right)
        layout["xaxis"] |= {"tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}
    layout["yaxis"] |= {"range": [low, high]}
    return {"data": traces, "layout": layout}


def _few(chart: Scatter) -> list[str]:
    """Returns the names that a narrow chart has room for: where points are many, those of files alone."""
    crowded = len(chart.points) > 6 and any(point.kind == "litert" for point in chart.points)
    return [
        "" if crowded and point.kind == "keras" and not point.featured else point.name
        for point in chart.points
    ]


def _points(
    chosen: list[tuple[Point, tuple[str, str]]], name: str, symbol: str, unnamed: set[str]
) -> dict[str, Any]:
    points = [point for point, _ in chosen]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "x": [point.x for point in points],
        "y": [point.y for point in points],
        "text": [_strong(point) for point in points],
        "textposition": [wide for _, (wide, _) in chosen],
        "meta": {
            "narrow": [narrow for _, (_, narrow) in chosen],
            "narrow_text": ["" if point.name in unnamed else _strong(point) for point in points],
        },
        "cliponaxis": False,
        "hovertext": [
            "<br>".join([f"<b>{for_plotly(p.name)}</b>", *map(for_plotly, p.hover)]) for p in points
        ],
        "hoverinfo": "text",
        "error_y": _errors([(point.y, point.y_interval) for point in points]),
        "error_x": _errors([(point.x, point.x_interval) for point in points]),
        "marker": {
            "symbol": symbol,
            "opacity": 1,
            "color": KIND_COLOURS[points[0].kind],
            "size": [15 if point.featured else 11 for point in points],
            "line": {"width": 1.5, "color": "#ffffff"},
        },
    }


def _strong(point: Point) -> str:
    name = for_plotly(point.name, 28)
    return f"<b>{name}</b>" if point.featured else name


def _errors(values: list[tuple[float, tuple[float, float] | None]]) -> dict[str, Any]:
    """Returns asymmetric error bars; none at all where no value has an interval."""
    if not any(interval for _, interval in values):
        return {"visible": False}
    up = [interval[1] - value if interval else 0 for value, interval in values]
    down = [value - interval[0] if interval else 0 for value, interval in values]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, **_WHISKER}


@figure.register
def _curves(chart: Curves) -> dict[str, Any]:
    traces: list[dict[str, Any]] = []
    for line in chart.lines:
        name = for_plotly(line.name)
        for values, part, dash, shown in (
            (line.validation, "validation", "solid", True),
            (line.training, "training", "dot", all(value is None for value in line.validation)),
        ):
            if all(value is None for value in values):
                continue
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers" if len(line.epochs) == 1 else "lines",
                    "marker": {"symbol": "circle-open" if part == "training" else "circle", "size": 8},
                    "name": name,
                    "legendgroup": name,
                    "showlegend": shown,
                    "x": list(line.epochs),
                    "y": list(values),
                    "line": {
                        "color": line.colour,
                        "width": 2.2 if part == "validation" else 1.4,
                        "dash": dash,
                    },
                    "hovertemplate": f"{part} %{{y:.4~r}}{chart.unit}",
                }
            )
        if (kept := line.kept) is not None:
            traces.append(_kept_epoch(line.colour, name, kept))
    layout = plain_layout("Epoch", chart.y_title, 380)
    layout["hovermode"] = "x"
    layout["xaxis"] |= {"tickvals": list(chart.ticks), "range": list(chart.x_range)}
    layout["yaxis"] |= {"range": list(chart.y_range)}
    return {"data": traces, "layout": layout}


def _kept_epoch(colour: str, group: str, kept: tuple[int, float]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [kept[0]],
        "y": [kept[1]],
        "legendgroup": group,
        "showlegend": False,
        "hoverinfo": "skip",
        "marker": {"color": colour, "size": 9, "line": {"width": 1.5, "color": "#ffffff"}},
    }


@figure.register
def _bars(chart: Bars) -> dict[str, Any]:
    labels = chart.labels
    lanes = chart.lanes
    breadth = 0.8 / (max(lanes) + 1)
    traces: list[dict[str, Any]] = []
    for (name, colour, bars), lane in zip(chart.series, lanes, strict=True):
        centres = [labels.index(bar.label) - 0.4 + (lane + 0.5) * breadth for bar in bars]
        traces += _bar_traces(chart.start, for_plotly(name), colour, bars, centres, 0.86 * breadth)
    layout = plain_layout(chart.x_title, "", 110 + round(len(labels) * max(30, 21 * (max(lanes) + 1))))
    layout["barmode"] = "overlay"
    layout["showlegend"] = len(chart.series) > 1
    layout["xaxis"] |= {"range": [chart.start, chart.end]}
    if chart.ticks:
        layout["xaxis"] |= {"tickvals": list(chart.ticks)}
    layout["yaxis"] |= {
        "tickvals": list(range(len(labels))),
        "ticktext": [f"{for_plotly(label, 22)}  " for label in labels],
        "range": [len(labels) - 0.5, -0.5],
        "showgrid": False,
    }
    return {"data": traces, "layout": layout}


def _bar_traces(
    start: float, name: str, colour: str, bars: tuple[Bar, ...], centres: list[float], breadth: float
) -> list[dict[str, Any]]:
    """Returns one series of bars, and the numbers written beside them."""
    drawn = {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": centres,
        "x": [bar.value - start for bar in bars],
        "base": start,
        "width": breadth,
        "marker": {"color": colour},
        "error_x": _errors([(bar.value, bar.interval) for bar in bars]),
        "hovertext": [f"{for_plotly(bar.label)}, {name}: {for_plotly(bar.shown)}" for bar in bars],
        "hoverinfo": "text",
    }
    written = {
        "type": "scatter",
        "mode": "text",
        "x": [(bar.interval or (0.0, bar.value))[1] for bar in bars],
        "y": centres,
        "text": [f" {for_plotly(bar.shown)}" for bar in bars],
        "textposition": "middle right",
        "hoverinfo": "skip",
        "showlegend": False,
        "cliponaxis": False,
    }
    return [drawn, written]


@figure.register
def _matrix(chart: Matrix) -> dict[str, Any]:
    names = [for_plotly(name, 18) for name in chart.names]
    many = len(names) > 30
    places_of_names = list(range(len(names)))
    trace = {
        "type": "heatmap",
        "x": places_of_names,
        "y": places_of_names,
        "z": [list(line) for line in chart.shares],
        "zmin": 0,
        "zmax": 1,
        "colorscale": _colours(BLUES),
        "colorbar": {
            "title": {"text": "share of the true class", "side": "right", "font": {"size": 12}},
            "tickformat": ".0%",
            "thickness": 12,
            "outlinewidth": 0,
        },
        "hovertext": _matrix_hover(chart),
        "hoverinfo": "text",
        "xgap": 1,
        "ygap": 1,
    }
    if not many:
        trace |= {
            "text": [[f"{count:,}" for count in counts] for counts in chart.counts],
            "texttemplate": "%{text}",
        }
    layout = plain_layout(
        "Predicted class",
        "True class",
        200 + (36 if len(names) <= 15 else 20) * len(names) if not many else 720,
    )
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"showgrid": False, "zeroline": False, "ticks": ""}
        if not many:
            layout[axis] |= {"tickvals": places_of_names, "ticktext": names}
    layout["yaxis"]["range"] = [len(names) - 0.5, -0.5]
    layout["xaxis"]["range"] = [-0.5, len(names) - 0.5]
    layout["xaxis"]["tickangle"] = -40 if any(len(name) > 3 for name in names) else 0
    return {"data": [trace], "layout": layout}


def _matrix_hover(chart: Matrix) -> list[list[str]]:
    return [
        [
            f"true {for_plotly(true)}<br>predicted {for_plotly(predicted)}<br>"
            f"{count:,} images, {100 * share:.1f} % of the row"
            for predicted, count, share in zip(chart.names, counts, shares, strict=True)
        ]
        for true, counts, shares in zip(chart.names, chart.counts, chart.shares, strict=True)
    ]


@figure.register
def _heat(chart: Heat) -> dict[str, Any]:
    rows, columns = list(range(len(chart.rows))), list(range(len(chart.columns)))
    trace = {
        "type": "heatmap",
        "x": columns,
        "y": rows,
        "z": [
            [None if cell.value is None else chart.shade(cell.value) for cell in line] for line in chart.cells
        ],
        "zmin": 0,
        "zmax": 1,
        "colorscale": _colours(REDS),
        "colorbar": {
            "title": {"text": chart.scale_title, "side": "right", "font": {"size": 12}},
            "tickvals": [chart.shade(tick) for tick in chart.ticks],
            "ticktext": [f"{tick:g}" for tick in chart.ticks],
            "thickness": 12,
            "outlinewidth": 0,
        },
        "hovertext": [["<br>".join(map(for_plotly, cell.hover)) for cell in line] for line in chart.cells],
        "hoverinfo": "text",
        "xgap": 2,
        "ygap": 2,
    }
    layout = plain_layout(chart.x_title, chart.y_title, 150 + 28 * max(len(rows), 3))
    layout["margin"]["t"] = 36
    layout["title"] = {
        "text": for_plotly(chart.subtitle, 90),
        "x": 0,
        "y": 1,
        "pad": {"t": 8},
        "font": {"size": 13},
    }
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"showgrid": False, "ticks": ""}
    layout["xaxis"] |= {"tickvals": columns, "ticktext": list(chart.columns)}
    layout["yaxis"] |= {
        "tickvals": rows,
        "ticktext": [f"{for_plotly(name)} · {detail}  " for name, detail in chart.rows],
        "range": [len(rows) - 0.5, -0.5],
    }
    layout["annotations"] = _numbers(chart)
    return {"data": [trace], "layout": layout}


def _numbers(chart: Heat) -> list[dict[str, Any]]:
    """Returns the numbers in the cells, each in a colour that can be read on its cell's shade."""
    return [
        {
            "x": column,
            "y": row,
            "text": f"<b>{cell.text}</b>" if cell.strong else cell.text,
            "showarrow": False,
            "font": {"color": chart.ink(cell), "size": 12},
        }
        for row, line in enumerate(chart.cells)
        for column, cell in enumerate(line)
        if cell.text
    ]


def _colours(palette: tuple[str, ...]) -> list[list[Any]]:
    """Returns a palette as Plotly takes a colour scale."""
    return [[number / (len(palette) - 1), colour] for number, colour in enumerate(palette)]
