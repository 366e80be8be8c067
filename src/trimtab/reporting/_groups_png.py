"""Groups of channels as a Matplotlib figure: a line of words for each, with its bars below."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from trimtab.reporting._canvas import INK, MUTED, bold, legend, new_axes, subtitle
from trimtab.reporting._chart import GroupRow, Groups
from trimtab.reporting._lettering import fonts_for, for_matplotlib

__all__ = ["draw_groups"]

_ROOM = 112  # letters of a line of words
_LONG = 15  # rows from which on the axis is marked at the top too


def draw_groups(chart: Groups) -> Figure:
    """Returns groups of channels as a figure, as high as they need."""
    texts = [text for row in chart.rows for text in (row.name, row.reason, *row.others)]
    tall = 0.42 if chart.lanes < 3 else 0.26 + 0.1 * chart.lanes
    figure, axes = new_axes(chart.title, 9.2, 1.9 + tall * max(len(chart.rows), 2), texts)
    fonts, long = fonts_for(texts), len(chart.rows) > _LONG
    subtitle(axes, chart.title, chart.subtitle, 13 if long else 0)
    for number, (name, colour, opacity) in enumerate(chart.series):
        _bars(axes, chart, number, name, colour, opacity)
    for at, row in enumerate(chart.rows):
        _words(axes, row, at + chart.words_at, fonts)
    axes.set_ylim(len(chart.rows) - 0.45, -0.55)
    axes.set_xlim(0, 1.14 * chart.end)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(FixedLocator(chart.ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g} %" for tick in chart.ticks]))
    axes.tick_params(axis="x", labeltop=long, length=0)
    axes.set_xlabel(chart.x_title)
    if len(axes.get_legend_handles_labels()[0]) > 1:
        legend(axes, fonts)
    return figure


def _bars(axes: Axes, chart: Groups, number: int, name: str, colour: str, opacity: float) -> None:
    """Draws the bars of one series, and the numbers behind them."""
    found = [(at, strip) for at, row in enumerate(chart.rows) for strip in row.strips]
    found = [(at, strip) for at, strip in found if strip.series == number]
    if not found:
        return
    centres = [at + chart.places[strip.lane][0] for at, strip in found]
    axes.barh(
        centres, [strip.length for _, strip in found], left=[strip.start for _, strip in found],
        height=[chart.places[strip.lane][1] for _, strip in found], color=colour, alpha=opacity, label=name,
        zorder=2,
    )  # fmt: skip
    for centre, (_, strip) in zip(centres, found, strict=True):
        if strip.shown:
            axes.annotate(
                for_matplotlib(strip.shown, 40), (strip.start + strip.length, centre), xytext=(5, 0),
                textcoords="offset points", va="center_baseline", fontsize=9 if chart.lanes == 1 else 7,
                color=INK,
            )  # fmt: skip


def _words(axes: Axes, row: GroupRow, height: float, fonts: list[str]) -> None:
    """Writes a row's name, and behind it what it ties together or why it was left alone."""
    name, rest = row.words(_ROOM)
    written = axes.annotate(
        for_matplotlib(name, _ROOM), (0, height), xytext=(1, 0), textcoords="offset points", va="center",
        fontsize=9, color=MUTED if row.reason else INK, fontweight=bold(fonts), fontfamily=fonts,
    )  # fmt: skip
    if rest:
        axes.annotate(
            for_matplotlib(rest, _ROOM), (1, 0.5), xycoords=written, xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=9, color=MUTED, fontfamily=fonts,
            fontstyle="italic" if row.reason and len(fonts) == 1 else "normal",
        )  # fmt: skip
