"""Charts of behaviour as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trimtab.reporting._behaviour_chart import DotLine, Dumbbells, Panels, Reliability
from trimtab.reporting._canvas import (
    INK,
    MUTED,
    bold,
    error_bars,
    legend,
    new_axes,
    new_figure,
    quiet,
    subtitle,
)
from trimtab.reporting._lettering import fonts_for, for_matplotlib

__all__ = ["draw_dumbbells", "draw_panels", "draw_reliability"]


def draw_dumbbells(chart: Dumbbells) -> Figure:
    """Draws each class from its accuracy before (ring) to that after (dot)."""
    labels = [change.label for change in chart.changes]
    figure, axes = new_axes(chart.title, 8.4, 1.9 + 0.31 * max(len(labels), 3), labels)
    subtitle(axes, chart.title, chart.subtitle)
    fonts = fonts_for([*labels, chart.before_name, chart.after_name])
    for place, change in enumerate(chart.changes):
        axes.plot([change.before, change.after], [place, place], color=change.colour, linewidth=2.4, zorder=2)
        axes.plot(
            [change.before], [place], "o", markersize=7.5, markerfacecolor="white",
            markeredgecolor=change.colour, markeredgewidth=1.6, zorder=3,
        )  # fmt: skip
        axes.plot([change.after], [place], "o", markersize=7.5, color=change.colour, zorder=4)
        axes.annotate(
            change.shown, (1, place), xycoords=("axes fraction", "data"), xytext=(40, 0),
            textcoords="offset points", ha="right", va="center", fontsize=9,
            color=change.colour if change.strong else MUTED,
            fontweight="bold" if change.strong else "normal",
        )  # fmt: skip
    axes.set_yticks(range(len(labels)), [for_matplotlib(label, 24) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(*chart.x_range)
    axes.set_xticks(chart.ticks)
    axes.set_xlabel(f"{chart.x_title}   (at the right: points)")
    axes.tick_params(axis="y", labelfontfamily=fonts, labelcolor=INK, length=0)
    ring: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 7.5, "color": MUTED}
    handles = [
        Line2D([], [], markerfacecolor="white", markeredgewidth=1.6, **ring),
        Line2D([], [], **ring),
    ]
    names = [for_matplotlib(f"{chart.before_name} (before)"), for_matplotlib(f"{chart.after_name} (after)")]
    figure.legend(
        handles, names, loc="outside lower center", ncols=2, frameon=False, labelcolor=INK,
        prop={"family": fonts, "size": 9},
    )  # fmt: skip
    return figure


def draw_reliability(chart: Reliability) -> Figure:
    """Draws accuracy against confidence, beside the diagonal."""
    names = [line.name for line in chart.lines]
    figure, axes = new_axes(chart.title, 6.4, 6.0, names)
    axes.plot(
        [0, 100], [0, 100], color="#9aa3af", linewidth=1.2, linestyle=":", zorder=1,
        label="right as often as sure",
    )  # fmt: skip
    for line in chart.lines:
        if line.first:
            _dots(axes, line, [18 + 420 * dot.share for dot in line.dots], faint=True)
    axes.set_xlim(-2, 102)
    axes.set_ylim(-2, 102)
    axes.set_aspect("equal")
    axes.set_xlabel(f"{chart.x_title}   (area of a dot: share of the images)")
    axes.set_ylabel(chart.y_title)
    legend(axes, fonts_for(names))
    return figure


def draw_panels(chart: Panels) -> Figure:
    """Draws accuracy by strength, two panels in a row."""
    names = [line.name for line in chart.panels[0].lines if line.first]
    columns = min(2, len(chart.panels))
    rows = -(-len(chart.panels) // columns)
    figure = new_figure(8.4, 0.9 + 2.7 * rows)
    fonts = fonts_for([*names, chart.title])
    figure.suptitle(
        for_matplotlib(chart.title, 80), x=0.02, ha="left", fontsize=12, fontweight=bold(fonts), color=INK,
        fontfamily=fonts,
    )  # fmt: skip
    for place, panel in enumerate(chart.panels):
        axes = figure.add_subplot(rows, columns, place + 1)
        quiet(axes)
        axes.set_title(for_matplotlib(panel.title, 40), loc="left", fontsize=10.5, color=INK)
        for line in panel.lines:
            if line.first:
                _dots(axes, line, [26.0] * len(line.dots))
        axes.set_ylim(*chart.y_range)
        axes.set_xticks(panel.ticks, [f"{tick:g}" for tick in panel.ticks])
        axes.set_xlabel(for_matplotlib(panel.x_title, 48))
        if place % columns == 0:
            axes.set_ylabel(chart.y_title)
        if place == 0:
            legend(axes, fonts)
    return figure


def _dots(axes: Axes, line: DotLine, sizes: list[float], *, faint: bool = False) -> None:
    """Draws a line with its dots and their intervals; faint where only the dots count."""
    x, y = np.array([dot.x for dot in line.dots]), np.array([dot.y for dot in line.dots])
    axes.errorbar(
        x,
        y,
        yerr=error_bars([(dot.y, dot.interval) for dot in line.dots]),
        color=line.colour,
        linewidth=0.8 if faint else 1.8,
        elinewidth=0.8 if faint else 1,
        capsize=2,
        alpha=0.6 if faint else 1,
        label=for_matplotlib(line.name),
        zorder=2,
    )
    axes.scatter(x, y, s=sizes, color=line.colour, edgecolors="white", linewidths=0.8, zorder=3)
