"""Rows of dots as a Matplotlib figure."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trimtab.reporting._canvas import INK, MUTED, bold, legend, new_axes, subtitle
from trimtab.reporting._chart import Dots
from trimtab.reporting._lettering import fonts_for, for_matplotlib

__all__ = ["draw_dots"]

_LONG = 15  # rows from which on the axis is marked at the top too


def draw_dots(chart: Dots) -> Figure:
    """Returns a dot plot as a figure, as high as its rows need."""
    labels = [row.label for row in chart.rows]
    width = max(7.4 + 0.078 * max(map(len, labels), default=0), 8.4)
    figure, axes = new_axes(chart.title, width, 2.1 + 0.27 * max(len(labels), 3), [chart.title, *labels])
    fonts, long = fonts_for(labels), len(labels) > _LONG
    subtitle(axes, chart.title, chart.subtitle, 13 if long else 0)
    if chart.reference is not None:
        name, value = chart.reference
        axes.axvline(value, color=MUTED, linewidth=1.2, linestyle="--", label=name, zorder=1)
    _dots(axes, chart)
    for at, row in enumerate(chart.rows):
        if row.told:
            right = max(value for value in row.values if value is not None)
            axes.annotate(
                for_matplotlib(row.told, 40), (right, at), xytext=(9, 0), textcoords="offset points",
                va="center_baseline", fontsize=9, color=INK,
            )  # fmt: skip
    axes.set_yticks(range(len(labels)), [for_matplotlib(label, 52) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(*chart.x_range)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.tick_params(axis="y", labelfontfamily=fonts, labelcolor=INK, length=0)
    for text, row in zip(axes.get_yticklabels(), chart.rows, strict=True):
        text.set_fontweight(bold(fonts) if row.marked else "normal")
    axes.tick_params(axis="x", labeltop=long, length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(chart.x_title)
    axes.set_ylabel(chart.y_title)
    legend(axes, fonts)
    return figure


def _dots(axes: Axes, chart: Dots) -> None:
    """Draws the dots: of the first series filled, of the second open."""
    (alone, blue), (spared, green) = chart.series
    for name, colour, marked in ((*chart.marked, True), (alone, blue, False)):
        found = chart.drawn(0, marked)
        if found:
            axes.scatter(
                [value for _, value, _ in found], [at for at, _, _ in found], s=58 if marked else 44,
                color=colour, edgecolors="white", linewidths=0.8, label=name, zorder=4,
            )  # fmt: skip
    found = [*chart.drawn(1, True), *chart.drawn(1, False)]
    if not found:
        return
    if chart.reference is not None:
        ends = [value for _, value, _ in found]
        axes.hlines(
            [at for at, _, _ in found], chart.reference[1], ends, color=green, linewidth=1.6, zorder=2
        )
    axes.scatter(
        [value for _, value, _ in found], [at for at, _, _ in found], s=40, marker="D", color="white",
        edgecolors=green, linewidths=1.6, label=spared, zorder=3,
    )  # fmt: skip
