"""Points with names beside them: the scatter of one chart, and the summary of a run in one picture."""

from __future__ import annotations

import dataclasses

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from trimtab.reporting._canvas import INK, MUTED, bold, error_bars, new_figure, quiet
from trimtab.reporting._chart import Chart, Point, Scatter
from trimtab.reporting._data import ReportData
from trimtab.reporting._lettering import fonts_for, for_matplotlib
from trimtab.reporting._palette import KIND_COLOURS
from trimtab.reporting._placement import PLACES, limits, log_ticks, places

__all__ = ["draw_points", "summary"]

_KINDS = (("keras", "Keras model", "o"), ("litert", "LiteRT file", "D"))


def draw_points(axes: Axes, chart: Scatter, room: tuple[float, float]) -> None:
    """Draws a scatter into axes.

    Args:
        axes: where to draw.
        chart: what to draw.
        room: about how many inches the axes are wide and high; names are placed for that.
    """
    fonts = fonts_for(point.name for point in chart.points)
    best = sorted((point.x, point.y) for point in chart.points if point.best)
    if len(best) > 1:
        xs, ys = zip(*best, strict=True)
        axes.plot(xs, ys, color="#9aa3af", linewidth=1.2, linestyle=":", label="best trade-off", zorder=1)
    for kind, name, marker in _KINDS:
        points = [point for point in chart.points if point.kind == kind]
        for point in points:
            _whiskers(axes, point)
        if points:
            axes.scatter(
                [point.x for point in points], [point.y for point in points],
                s=[90 if point.featured else 52 for point in points], marker=marker,
                color=KIND_COLOURS[kind], edgecolors="white", linewidths=1.0, label=name, zorder=3,
            )  # fmt: skip
    _fit(axes, chart)
    where = places(chart.points, chart.log_x, 72 * room[0], 72 * room[1], letter=5.4)
    for point, place in zip(chart.points, where, strict=True):
        _name(axes, point, place, fonts)
    axes.set_xlabel(chart.x_title)
    axes.set_ylabel(chart.y_title)


def summary(data: ReportData, charts: tuple[Chart, ...]) -> Figure | None:
    """Returns accuracy against size beside accuracy against latency, of the deployable files only.

    None where fewer than two files are measured: there is nothing to compare then.
    """
    chosen = [_files_of(chart) for chart in charts if isinstance(chart, Scatter)]
    if len(chosen) != 2 or any(len(chart.points) < 2 for chart in chosen):
        return None
    figure = new_figure(11.25, 4.9)  # 1,800 pixels: sharp at 900
    fonts = fonts_for([data.title])
    figure.suptitle(
        for_matplotlib(data.title, 90), x=0.012, ha="left", fontsize=15, fontweight=bold(fonts), color=INK,
        fontfamily=fonts,
    )  # fmt: skip
    for number, chart in enumerate(chosen, 1):
        axes = figure.add_subplot(1, 2, number)
        quiet(axes)
        draw_points(axes, chart, (4.9, 3.6))
        axes.tick_params(labelsize=10)
        axes.set_title(
            chart.title,
            loc="left", fontsize=11.5, color=MUTED, pad=8,
        )  # fmt: skip
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize(11)
        if number == 2:
            axes.set_ylabel("")
    return figure


def _files_of(chart: Scatter) -> Scatter:
    return dataclasses.replace(chart, points=tuple(p for p in chart.points if p.kind == "litert"))


def _whiskers(axes: Axes, point: Point) -> None:
    axes.errorbar(
        [point.x], [point.y], yerr=error_bars([(point.y, point.y_interval)]),
        xerr=error_bars([(point.x, point.x_interval)]), fmt="none", ecolor="#7f8794", elinewidth=1,
        capsize=2.5, zorder=2,
    )  # fmt: skip


def _fit(axes: Axes, chart: Scatter) -> None:
    """Sets the ends of both axes, and round numbers on a logarithmic one."""
    (left, right), (low, high) = limits(chart.points, chart.log_x)
    if chart.log_x:
        axes.set_xscale("log")
        ticks = log_ticks(left, right)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:,g}" for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        left, right = 10**left, 10**right
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)


def _name(axes: Axes, point: Point, place: str, fonts: list[str]) -> None:
    across, up = PLACES[place]
    name = axes.annotate(
        for_matplotlib(point.name), (point.x, point.y), textcoords="offset points",
        xytext=((15 if point.featured else 12) * (across + 0.5), 14 * (up + 0.5)),
        ha={0.0: "left", -0.5: "center", -1.0: "right"}[across],
        va={0.0: "bottom", -0.5: "center", -1.0: "top"}[up],
        fontsize=9.5, color=INK, fontweight=bold(fonts) if point.featured else "normal", fontfamily=fonts,
        zorder=4,
    )  # fmt: skip
    name.set_path_effects([withStroke(linewidth=3, foreground="white")])  # readable across lines
