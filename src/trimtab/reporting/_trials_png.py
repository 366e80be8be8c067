"""The charts of a tuning as pictures."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trimtab.reporting._canvas import INK, MUTED, legend, new_axes
from trimtab.reporting._lettering import fonts_for, for_matplotlib
from trimtab.reporting._palette import BLUES, SERIES_COLOURS
from trimtab.reporting._trials_chart import Parallel, Trials

__all__ = ["draw_parallel", "draw_trials"]

_KINDS = (
    ("complete", "finished", SERIES_COLOURS[0], "o", SERIES_COLOURS[0]),
    ("cut", "cut short", SERIES_COLOURS[5], "x", SERIES_COLOURS[5]),
    ("unfinished", "not finished", "#7f8794", "o", "white"),
)
_BEST, _BASELINE, _NO_RESULT = SERIES_COLOURS[1], SERIES_COLOURS[2], "#c9ced6"


def draw_trials(chart: Trials) -> Figure:
    """Draws the best so far over the trials."""
    figure, axes = new_axes(chart.title, 8.4, 4.6, [])
    last = chart.best[-1][0]
    if chart.baseline is not None:
        axes.plot(
            [0, last], [chart.baseline] * 2, color=_BASELINE, linewidth=1.4, linestyle="--", label="baseline"
        )
    axes.step(
        [number for number, _ in chart.best], [value for _, value in chart.best], where="post", color=_BEST,
        linewidth=2.0, label="best so far",
    )  # fmt: skip
    for state, name, colour, symbol, face in _KINDS:
        marks = [mark for mark in chart.marks if mark.state == state]
        if marks:
            axes.plot(
                [mark.number for mark in marks], [chart.clipped(mark) for mark in marks], linestyle="",
                marker=symbol, color=colour, markerfacecolor=face, markersize=6, label=name,
            )  # fmt: skip
    axes.set_xlim(-0.6, max(mark.number for mark in chart.marks) + 0.6)
    axes.set_ylim(*chart.y_range)
    axes.set_xlabel("Trial")
    axes.set_ylabel(chart.y_title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes, fonts_for([]))
    return figure


def draw_parallel(chart: Parallel) -> Figure:
    """Draws the trials as lines across upright axes."""
    count = len(chart.rails)
    names = [rail.name for rail in chart.rails]
    figure, axes = new_axes(chart.title, max(7.0, 1.25 * count + 1.0), 5.2, names)
    axes.set_title(axes.get_title(loc="left"), loc="left", fontsize=12, color=INK, pad=30, fontweight="bold")
    fonts = fonts_for([*names, *(text for rail in chart.rails for _, text in rail.ticks)])
    for order, strand in enumerate(chart.strands):
        colour = {"best": _BEST, "baseline": _BASELINE}.get(strand.role)
        shade = _NO_RESULT if strand.shade is None else BLUES[2 + round(strand.shade * (len(BLUES) - 3))]
        style = "--" if strand.role == "baseline" else ":" if strand.shade is None else "-"
        axes.plot(
            range(count), strand.places, color=colour or shade, linestyle=style, zorder=2 + order / 1000
            + bool(strand.role), linewidth=2.6 if strand.role else 1.0 if strand.shade is None else 1.5,
            label=f"{strand.role} ({strand.name})" if strand.role else None, marker="o",
            markersize=4 if strand.role else 2.5,
        )  # fmt: skip
    for at, rail in enumerate(chart.rails):
        axes.plot([at, at], [0, 1], color="#9aa3af", linewidth=0.9, zorder=1)
        for place, text in rail.ticks:
            axes.text(
                at + 0.04, place, for_matplotlib(text, 16), fontsize=8.5, color=INK, va="center", zorder=5,
                fontfamily=fonts,
                bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
            )  # fmt: skip
        axes.text(
            at, 1.07, for_matplotlib(rail.name, 18), fontsize=9.5, color=MUTED, ha="center", fontfamily=fonts
        )
    if chart.unused:
        axes.text(-0.05, -0.13, "not used", fontsize=8.5, color=MUTED, va="center", ha="right")
    axes.set_xlim(-0.6 if chart.unused else -0.2, count - 0.5)
    axes.set_ylim(-0.2 if chart.unused else -0.05, 1.12)
    axes.set_axis_off()
    legend(axes, fonts)
    return figure
