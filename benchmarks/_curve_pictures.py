"""Draws the curves of accuracy against sparsity from what their JSON file holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PICTURES", "TITLES", "Picture", "draw", "listed"]

_BLUE, _ORANGE, _GREEN, _PURPLE, _GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7f7f7f"
_FLOOR = 0.3
"""Accuracies below are left out of the pictures: nobody would use such a model."""
_ASIDE = 0.035
"""Between the bars of two lines at one sparsity, in units of the axis."""
_X_TICKS = (0.0, 0.5, 0.75, 0.9, 0.95, 0.98)
_Y_TICKS = (0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.92, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995)
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "digits": "Digits"}


@dataclass(frozen=True)
class Line:
    """How one series is drawn in one picture."""

    series: str
    label: str
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Picture:
    """Which series stand beside each other in one file."""

    name: str
    title: str
    lines: tuple[Line, ...]


PICTURES = (
    Picture(
        "granularity",
        "What goes together (magnitude, each layer by itself)",
        (
            Line("unstructured", "single weights", _BLUE),
            Line("nm", "N:M (2:4, 1:4, 1:8, 1:16)", _GREEN),
            Line("4x1", "blocks of 4x1", _ORANGE),
            Line("4x4", "blocks of 4x4", _PURPLE),
        ),
    ),
    Picture(
        "ranking",
        "Against whom a weight is ranked (magnitude)",
        (
            Line("unstructured-global", "single weights, all layers together", _BLUE),
            Line("unstructured", "single weights, each layer by itself", _BLUE, dashed=True),
            Line("4x1-global", "blocks of 4x1, all layers together", _ORANGE),
            Line("4x1", "blocks of 4x1, each layer by itself", _ORANGE, dashed=True),
            Line("4x4-global", "blocks of 4x4, all layers together", _PURPLE),
            Line("4x4", "blocks of 4x4, each layer by itself", _PURPLE, dashed=True),
        ),
    ),
    Picture(
        "importance",
        "How much a weight matters (single weights)",
        (
            Line("unstructured-global", "magnitude, all layers together", _BLUE),
            Line("unstructured", "magnitude, each layer by itself", _BLUE, dashed=True),
            Line("taylor-global", "Taylor, all layers together", _GREEN),
            Line("taylor", "Taylor, each layer by itself", _GREEN, dashed=True),
            Line("random", "random, each layer by itself", _GREY, dashed=True),
        ),
    ),
)


def listed(data: Sequence[str]) -> list[dict[str, str]]:
    """Lists the pictures as the page shows them."""
    names = " and ".join(TITLES.get(name, name) for name in data)
    return [
        {
            "path": f"../pictures/sparsity-curves/{picture.name}.png",
            "alt": f"{picture.title}: accuracy against sparsity on {names}",
        }
        for picture in PICTURES
    ]


def draw(record: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draws every picture.

    Args:
        record: what the JSON file holds.
        folder: where the PNG files go.

    Returns:
        The files.
    """
    from trimtab.reporting._canvas import write_png

    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_png(_figure(picture, record["curves"]), folder / f"{picture.name}.png") for picture in PICTURES
    ]


def _figure(picture: Picture, curves: Sequence[Mapping[str, Any]]) -> Any:
    """Draws one picture: a panel for each data set, one legend."""
    from trimtab.reporting._canvas import INK, new_figure

    names = list(dict.fromkeys(str(curve["data"]) for curve in curves))
    figure = new_figure(5.6 * len(names), 5.2)
    figure.suptitle(picture.title, fontsize=12, fontweight="bold", color=INK, x=0.012, ha="left")
    handles: dict[str, Any] = {}
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        _panel(axes, name, picture, {curve["series"]: curve for curve in curves if curve["data"] == name})
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=4 if len(handles) < 5 else 3,
        frameon=False, labelcolor=INK, fontsize=9, handlelength=3,
    )  # fmt: skip
    return figure


def _panel(axes: Axes, name: str, picture: Picture, curves: Mapping[str, Mapping[str, Any]]) -> None:
    """Draws the lines of one data set, with an upright bar for each interval."""
    from trimtab.reporting._canvas import MUTED, quiet

    quiet(axes)
    shown: list[float] = []
    lines = [line for line in picture.lines if line.series in curves]
    for place, line in enumerate(lines):
        points = curves[line.series]["points"]
        shown += [point["accuracy"] for point in points]
        # Side by side, or the intervals of one sparsity would lie on each other.
        aside = _ASIDE * (place - (len(lines) - 1) / 2)
        x = [_remaining(point["sparsity"]) + (aside if at else 0) for at, point in enumerate(points)]
        for at, point in zip(x[1:], points[1:], strict=True):
            if point["low"] is not None:
                axes.plot(
                    [at, at], [_errors(point["low"]), _errors(point["high"])], color=line.colour,
                    linewidth=1.2, alpha=0.55, solid_capstyle="butt",
                )  # fmt: skip
        axes.plot(
            x, [_errors(point["accuracy"]) for point in points], color=line.colour, linewidth=1.6, marker="o",
            markersize=4, linestyle=(0, (4, 2)) if line.dashed else "-",
            markerfacecolor="white" if line.dashed else line.colour, label=line.label,
        )  # fmt: skip
    start = next(iter(curves.values()))["points"][0]["accuracy"]
    axes.axhline(_errors(start), color=MUTED, linewidth=1, linestyle=":")
    axes.annotate(
        f"not pruned: {100 * start:.1f} %", (1, _errors(start)), xycoords=("axes fraction", "data"),
        xytext=(-4, 5), textcoords="offset points", ha="right", fontsize=9, color=MUTED,
    )  # fmt: skip
    axes.set_title(TITLES.get(name, name), loc="left", fontsize=11, color=MUTED)
    _scales(axes, max(min(shown), _FLOOR), max(shown))


def _scales(axes: Axes, low: float, high: float) -> None:
    """Writes sparsities below and accuracies beside the panel, each spread out where it matters."""
    axes.set_xticks([_remaining(tick) for tick in _X_TICKS], [f"{100 * tick:g}" for tick in _X_TICKS])
    axes.set_xlim(-0.12, _remaining(0.98) + 0.18)
    bottom, top = _errors(low), _errors(high)
    room = 0.06 * (top - bottom) + 0.01
    ticks = [tick for tick in _Y_TICKS if bottom - room <= _errors(tick) <= top + 2 * room]
    axes.set_yticks([_errors(tick) for tick in ticks], [f"{100 * tick:g}" for tick in ticks])
    axes.set_ylim(bottom - room, top + 2 * room)
    axes.set_xlabel("Sparsity (%), by the weights that remain")
    axes.set_ylabel("Test accuracy (%), by the errors that remain")


def _remaining(sparsity: float) -> float:
    """Returns where a sparsity is drawn: each halving of the weights that remain is as wide."""
    return -math.log(1 - sparsity)


def _errors(accuracy: float) -> float:
    """Returns where an accuracy is drawn: each halving of the errors is as high."""
    return -math.log10(max(1 - accuracy, 1e-4))
