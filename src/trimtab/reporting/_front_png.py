"""The front as a picture for print, for documents, and for browsers without scripts."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from trimtab.reporting._canvas import INK, bold, error_bars, legend, new_axes, subtitle
from trimtab.reporting._front import ROLES, Front, Mark
from trimtab.reporting._front_looks import LIMIT, LOOKS, named_places
from trimtab.reporting._lettering import fonts_for, for_matplotlib
from trimtab.reporting._placement import PLACES, log_ticks

__all__ = ["draw_front"]

_WIDTH, _HEIGHT = 8.4, 5.4  # inches
_SUBTITLE = "Bars: 95 % intervals. Hollow marks do not keep the budget, red is outside it."


def draw_front(chart: Front) -> Figure:
    """Returns the picture of a front."""
    names = [mark.name for mark in chart.strong]
    figure, axes = new_axes(chart.title, _WIDTH, _HEIGHT, names)
    fonts = fonts_for(names)
    subtitle(axes, chart.title, _SUBTITLE, 16)
    _axes(axes, chart)
    _budget(axes, chart)
    if len(chart.steps) > 1:
        xs, ys = zip(*chart.steps, strict=True)
        axes.plot(xs, ys, color=LOOKS["front"].colour, linewidth=1.4, alpha=0.6, zorder=2)
    for role in ROLES:
        _marks(axes, [mark for mark in chart.marks if mark.role == role], role)
    where = named_places(chart, 72 * (_WIDTH - 1.1), 72 * (_HEIGHT - 1.7), letter=5.4)
    for mark in chart.strong:
        _name(axes, mark, where[mark.id], fonts)
    legend(axes, fonts)
    return figure


def _axes(axes: Axes, chart: Front) -> None:
    """Sets both axes, and the lanes below the picture."""
    if chart.log_x:
        axes.set_xscale("log")
        ticks = log_ticks(*chart.x_range)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:,g}" for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(*chart.ends)
    axes.set_ylim(*chart.y_range)
    heights = [*chart.y_ticks, *(height for height, _ in chart.lanes)]
    axes.set_yticks(heights, [*(f"{tick:g}" for tick in chart.y_ticks), *(words for _, words in chart.lanes)])
    axes.set_xlabel(chart.x_title)
    axes.set_ylabel(chart.y_title)
    if chart.lanes:
        axes.axhline(chart.floor, color="#9aa3af", linewidth=0.8)


def _budget(axes: Axes, chart: Front) -> None:
    """Draws the limits with their words, and shades what they forbid."""
    right, low = chart.ends[1], chart.y_range[0]
    label = "the budget"
    if chart.most is not None:
        at, words = chart.most
        axes.axvspan(at, right, color=LIMIT, alpha=0.08, linewidth=0, zorder=0)
        axes.axvline(at, color=LIMIT, linewidth=1.2, linestyle="--", label=label, zorder=1)
        axes.annotate(
            words, (at, 1), xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points",
            ha="center", va="bottom", fontsize=9, color=LIMIT,
        )  # fmt: skip
        label = ""
    if chart.least is not None:
        at, words = chart.least
        axes.axhspan(low, at, color=LIMIT, alpha=0.08, linewidth=0, zorder=0)
        axes.axhline(at, color=LIMIT, linewidth=1.2, linestyle="--", label=label, zorder=1)
        axes.annotate(
            words, (1, at), xycoords=("axes fraction", "data"), xytext=(-3, 2), textcoords="offset points",
            ha="right", va="bottom", fontsize=9, color=LIMIT,
        )  # fmt: skip


def _marks(axes: Axes, marks: list[Mark], role: str) -> None:
    """Draws the marks of one role; those that break the budget are hollow."""
    look, told = LOOKS[role], role not in ("refused", "below")  # the lanes have names of their own
    for keeps in (True, False):
        chosen = [mark for mark in marks if mark.keeps == keeps]
        if not chosen:
            continue
        xs, ys = [mark.x for mark in chosen], [mark.y for mark in chosen]
        if look.strong:
            bars = error_bars([(mark.y, mark.y_interval) for mark in chosen])
            axes.errorbar(
                xs, ys, yerr=bars, fmt="none", ecolor="#7f8794", elinewidth=1, capsize=2.5, zorder=3
            )
        edge = {"edgecolors": "white", "linewidths": 1.0} if look.strong and keeps else {"linewidths": 1.3}
        colours = (
            {"facecolors": "white", "edgecolors": look.colour}
            if not keeps
            else {"color": look.colour, **edge}
        )
        across = 0.95 * look.size if role == "chosen" else 0.8 * look.size
        axes.scatter(
            xs, ys, s=across**2, marker=look.marker, alpha=look.opacity, zorder=4,
            label=ROLES[role] if told else None, **colours,
        )  # fmt: skip
        told = False


def _name(axes: Axes, mark: Mark, place: str, fonts: list[str]) -> None:
    across, up = PLACES[place]
    chosen = mark.role == "chosen"
    name = axes.annotate(
        for_matplotlib(mark.name), (mark.x, mark.y), textcoords="offset points",
        xytext=((17 if chosen else 12) * (across + 0.5), 14 * (up + 0.5)),
        ha={0.0: "left", -0.5: "center", -1.0: "right"}[across],
        va={0.0: "bottom", -0.5: "center", -1.0: "top"}[up],
        fontsize=9.5, color=INK, fontweight=bold(fonts) if chosen else "normal", fontfamily=fonts, zorder=5,
    )  # fmt: skip
    name.set_path_effects([withStroke(linewidth=3, foreground="white")])  # readable across lines
