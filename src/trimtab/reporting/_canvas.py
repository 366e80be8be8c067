"""What all pictures share: quiet axes, a legend below, error bars, and how a PNG is written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from trimtab._atomic import atomic_path
from trimtab.reporting._lettering import fonts_for, for_matplotlib

__all__ = [
    "INK",
    "MUTED",
    "bold",
    "error_bars",
    "legend",
    "new_axes",
    "new_figure",
    "quiet",
    "subtitle",
    "write_png",
]

INK, MUTED, GRID = "#1f2430", "#5b6472", "#e5e7eb"
_DPI = 160


def write_png(figure: Figure, path: Path) -> Path:
    """Writes a figure as PNG, whole or not at all."""
    FigureCanvasAgg(figure)
    with atomic_path(path) as partial:
        # Without software and date in it, the same run gives the same bytes.
        figure.savefig(partial, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})
    return path


def new_figure(width: float, height: float) -> Figure:
    """Returns an empty figure, `width` by `height` inches, whose parts find their own room."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr,call-arg]
    return figure


def new_axes(title: str, width: float, height: float, texts: Iterable[str]) -> tuple[Figure, Axes]:
    """Returns an empty figure with quiet axes: no box, a light grid, a title on the left."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    fonts = fonts_for([title, *texts])
    axes.set_title(
        for_matplotlib(title, 80), loc="left", fontsize=12, fontweight=bold(fonts), color=INK, pad=12,
        fontfamily=fonts,
    )  # fmt: skip
    quiet(axes)
    return figure, axes


def subtitle(axes: Axes, title: str, text: str, lift: float = 0) -> None:
    """Writes a second line below the title of axes, `lift` points higher than usual."""
    axes.set_title(
        axes.get_title(loc="left"), loc="left", pad=26 + lift, fontsize=12, color=INK,
        fontweight=bold(fonts_for([title])),
    )  # fmt: skip
    axes.annotate(
        for_matplotlib(text, 110), (0, 1), xytext=(0, 9 + lift), xycoords="axes fraction",
        textcoords="offset points", fontsize=9.5, color=MUTED,
    )  # fmt: skip


def quiet(axes: Axes) -> None:
    """Takes the box off axes and leaves a light grid."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#c5cad3")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=9, length=3)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)


def bold(fonts: list[str]) -> str:
    """Returns the weight of titles: fonts that stand in for missing letters often have no bold."""
    return "bold" if len(fonts) == 1 else "normal"


def legend(axes: Axes, fonts: list[str]) -> None:
    """Writes the legend below the picture, where it covers nothing."""
    handles, names = axes.get_legend_handles_labels()
    axes.get_figure().legend(  # type: ignore[union-attr]
        handles, names, loc="outside lower center", ncols=min(4, max(len(names), 1)), frameon=False,
        labelcolor=INK, prop={"family": fonts, "size": 9},
    )  # fmt: skip


def error_bars(values: list[tuple[float, tuple[float, float] | None]]) -> Any:
    """Returns how far each interval reaches below and above its value, or None where there is none."""
    if not all(interval for _, interval in values):
        return None
    return np.array(
        [
            [max(value - interval[0], 0.0) for value, interval in values if interval],
            [max(interval[1] - value, 0.0) for value, interval in values if interval],
        ]
    )
