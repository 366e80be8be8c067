"""Charts as PNG files, drawn with Matplotlib without any global state.

Imported only when something is drawn: importing Matplotlib takes a while.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from trimtab.reporting._behaviour_chart import Dumbbells, Panels, Reliability
from trimtab.reporting._behaviour_png import draw_dumbbells, draw_panels, draw_reliability
from trimtab.reporting._canvas import INK, MUTED, error_bars, legend, new_axes, subtitle
from trimtab.reporting._chart import Bar, Bars, Chart, Curves, Dots, Groups, Heat, Matrix, Scatter
from trimtab.reporting._dots_png import draw_dots
from trimtab.reporting._front import Front
from trimtab.reporting._front_png import draw_front
from trimtab.reporting._groups_png import draw_groups
from trimtab.reporting._lettering import fonts_for, for_matplotlib
from trimtab.reporting._palette import REDS
from trimtab.reporting._points import draw_points
from trimtab.reporting._trials_chart import Parallel, Trials
from trimtab.reporting._trials_png import draw_parallel, draw_trials

__all__ = ["draw"]


@singledispatch
def draw(chart: Chart) -> Figure:
    """Returns a chart as a Matplotlib figure, without touching pyplot or any setting."""
    raise TypeError(f"no picture for {type(chart).__name__}")


@draw.register
def _groups(chart: Groups) -> Figure:
    return draw_groups(chart)


@draw.register
def _dots(chart: Dots) -> Figure:
    return draw_dots(chart)


@draw.register
def _dumbbells(chart: Dumbbells) -> Figure:
    return draw_dumbbells(chart)


@draw.register
def _reliability(chart: Reliability) -> Figure:
    return draw_reliability(chart)


@draw.register
def _panels(chart: Panels) -> Figure:
    return draw_panels(chart)


@draw.register
def _trials(chart: Trials) -> Figure:
    return draw_trials(chart)


@draw.register
def _parallel(chart: Parallel) -> Figure:
    return draw_parallel(chart)


@draw.register
def _front(chart: Front) -> Figure:
    return draw_front(chart)


@draw.register
def _scatter(chart: Scatter) -> Figure:
    names = [point.name for point in chart.points]
    figure, axes = new_axes(chart.title, 8.4, 5.0, names)
    draw_points(axes, chart, (7.2, 3.7))
    legend(axes, fonts_for(names))
    return figure


@draw.register
def _curves(chart: Curves) -> Figure:
    names = [line.name for line in chart.lines]
    figure, axes = new_axes(chart.title, 8.4, 4.8, names)
    for line in chart.lines:
        single = "o" if len(line.epochs) == 1 else ""
        training, validation = _with_gaps(line.training), _with_gaps(line.validation)
        axes.plot(
            line.epochs, training, color=line.colour, linewidth=1.3, linestyle=":", marker=single,
            markerfacecolor="white",
        )  # fmt: skip
        axes.plot(
            line.epochs, validation, color=line.colour, linewidth=2.0, marker=single,
            label=for_matplotlib(line.name),
        )  # fmt: skip
        if line.kept is not None:
            epoch, value = line.kept
            axes.plot(
                [epoch],
                [value],
                marker="o",
                markersize=7,
                color=line.colour,
                markeredgecolor="white",
                zorder=5,
            )
    axes.set_xlabel("Epoch   (solid: validation, dotted: training, dot: the epoch that was kept)")
    axes.set_ylabel(chart.y_title)
    axes.set_xlim(*chart.x_range)
    axes.set_ylim(*chart.y_range)
    axes.xaxis.set_major_locator(FixedLocator(chart.ticks))
    legend(axes, fonts_for(names))
    return figure


def _with_gaps(values: tuple[float | None, ...]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@draw.register
def _bars(chart: Bars) -> Figure:
    labels, lanes = chart.labels, chart.lanes
    count = max(lanes) + 1
    figure, axes = new_axes(chart.title, 8.4, 1.5 + len(labels) * max(0.36, 0.25 * count), labels)
    fonts = fonts_for(labels)
    breadth = 0.8 / count
    for (name, colour, bars), lane in zip(chart.series, lanes, strict=True):
        centres = [labels.index(bar.label) - 0.4 + (lane + 0.5) * breadth for bar in bars]
        values = [bar.value - chart.start for bar in bars]
        axes.barh(
            centres, values, left=chart.start, height=0.86 * breadth, color=colour, label=for_matplotlib(name)
        )
        for bar, centre in zip(bars, centres, strict=True):
            _beside(axes, bar, centre)
    axes.set_yticks(range(len(labels)), [for_matplotlib(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(chart.start, chart.end)
    if chart.ticks:
        axes.set_xticks(chart.ticks)
    axes.set_xlabel(chart.x_title)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", labelfontfamily=fonts)
    if len(chart.series) > 1:
        legend(axes, fonts)
    return figure


def _beside(axes: Axes, bar: Bar, centre: float) -> None:
    """Draws a bar's interval, and writes its number beside it."""
    end = (bar.interval or (0.0, bar.value))[1]
    if bar.interval is not None:
        axes.errorbar(
            [bar.value], [centre], xerr=error_bars([(bar.value, bar.interval)]), fmt="none", ecolor=INK,
            elinewidth=1, capsize=2.5,
        )  # fmt: skip
    axes.annotate(
        for_matplotlib(bar.shown), (end, centre), xytext=(5, 0), textcoords="offset points",
        va="center", fontsize=8.5, color=INK,
    )  # fmt: skip


@draw.register
def _matrix(chart: Matrix) -> Figure:
    many = len(chart.names) > 30
    side = 9.5 if many else max(4.8, 1.6 + 0.62 * len(chart.names))
    figure, axes = new_axes(chart.title, side + 0.8, side, chart.names)
    fonts = fonts_for(chart.names)
    shares = np.array(chart.shares)
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(visible=False)
    for side_name in ("left", "bottom"):
        axes.spines[side_name].set_visible(False)
    if not many:
        _write_counts(axes, chart, fonts)
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    bar = figure.colorbar(picture, ax=axes, shrink=0.75, pad=0.02)
    bar.set_label("share of the true class", color=MUTED, fontsize=9)
    bar.ax.tick_params(labelsize=8, colors=MUTED)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return figure


def _write_counts(axes: Axes, chart: Matrix, fonts: list[str]) -> None:
    """Writes the class names and, into each cell, its number of images."""
    names = [for_matplotlib(name, 18) for name in chart.names]
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(labelfontfamily=fonts, length=0)
    for true, (counts, shares) in enumerate(zip(chart.counts, chart.shares, strict=True)):
        for predicted, (count, share) in enumerate(zip(counts, shares, strict=True)):
            if count:
                ink = "white" if share > 0.55 else INK
                axes.text(predicted, true, f"{count:,}", ha="center", va="center", fontsize=8.5, color=ink)


@draw.register
def _heat(chart: Heat) -> Figure:
    labels = [f"{name} · {detail}" for name, detail in chart.rows]
    width = 0.9 + 0.078 * max(map(len, labels)) + max(0.92 * len(chart.columns) + 1.1, 5.9)
    figure, axes = new_axes(chart.title, width, 1.85 + 0.34 * max(len(labels), 3), labels)
    fonts, long = fonts_for(labels), len(labels) > 15
    subtitle(axes, chart.title, chart.subtitle, 13 if long else 0)
    colours = LinearSegmentedColormap.from_list("lost", REDS)
    shades = [[np.nan if c.value is None else chart.shade(c.value) for c in line] for line in chart.cells]
    edges = np.arange(len(chart.columns) + 1) - 0.5, np.arange(len(labels) + 1) - 0.5
    picture = axes.pcolormesh(
        *edges, np.array(shades), cmap=colours, vmin=0, vmax=1, edgecolors="white", linewidth=1.5
    )
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    for row, line in enumerate(chart.cells):
        for column, cell in enumerate(line):
            axes.text(
                column, row, cell.text, ha="center", va="center", fontsize=9, color=chart.ink(cell),
                fontweight="bold" if cell.strong else "normal",
            )  # fmt: skip
    axes.set_xticks(range(len(chart.columns)), chart.columns)
    axes.set_yticks(range(len(labels)), [for_matplotlib(label, 44) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelfontfamily=fonts, labelcolor=INK)
    axes.tick_params(axis="x", labeltop=long)  # so that no eye has to travel down a long list
    axes.set_xlabel(chart.x_title)
    axes.set_ylabel(chart.y_title)
    _scale(figure, axes, picture, chart)
    return figure


def _scale(figure: Figure, axes: Axes, picture: Any, chart: Heat) -> None:
    """Draws what the shades of a heat map mean, beside its first rows."""
    height = min(10 / len(chart.rows), 1.0)
    place = axes.inset_axes((1.03, 1 - height, 0.03, height))
    bar = figure.colorbar(picture, cax=place)
    bar.set_label(chart.scale_title, color=MUTED, fontsize=9)
    bar.set_ticks([chart.shade(tick) for tick in chart.ticks], labels=[f"{tick:g}" for tick in chart.ticks])
    bar.ax.tick_params(labelsize=8, colors=MUTED)
    bar.outline.set_visible(False)
