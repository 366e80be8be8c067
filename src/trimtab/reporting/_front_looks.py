"""How the marks of the front look, on the page and in print, and where their names stand."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.reporting._chart import Point
from trimtab.reporting._front import Front
from trimtab.reporting._palette import KIND_COLOURS, SERIES_COLOURS
from trimtab.reporting._placement import places

__all__ = ["FORBIDDEN", "LIMIT", "LOOKS", "Look", "named_places"]

LIMIT = "#c2483f"
FORBIDDEN = "rgba(194,72,63,0.09)"
_PALE = "#8b96a5"


@dataclass(frozen=True)
class Look:
    """How the marks of one role look.

    Attributes:
        symbol: Plotly's word; `marker` is Matplotlib's.
        size: in pixels.
    """

    symbol: str
    marker: str
    size: float
    colour: str
    opacity: float = 1.0
    strong: bool = False


LOOKS: dict[str, Look] = {
    "refused": Look("x-thin-open", "x", 6, _PALE, 0.7),
    "below": Look("triangle-down", "v", 7, _PALE, 0.55),
    "tried": Look("circle", "o", 8, _PALE, 0.55),
    "file": Look("diamond", "D", 10, SERIES_COLOURS[5], strong=True),
    "baseline": Look("square", "s", 11, KIND_COLOURS["keras"], strong=True),
    "front": Look("diamond", "D", 11, KIND_COLOURS["litert"], strong=True),
    "chosen": Look("star", "*", 20, KIND_COLOURS["litert"], strong=True),
}


def named_places(chart: Front, width: float, height: float, letter: float = 7.0) -> dict[str, str]:
    """Chooses a place for each name, away from marks, intervals and other names.

    Args:
        chart: what is drawn.
        width: of the plotting area in pixels.
        height: see `width`.
        letter: width of a letter in pixels.

    Returns:
        By mark, Plotly's word for the place.
    """
    points = tuple(
        Point(mark.name, "litert", mark.x, mark.y, None, mark.y_interval, (), mark.role == "chosen")
        for mark in chart.strong
    )
    ends = (chart.x_range, chart.y_range)
    where = places(points, chart.log_x, width, height, letter, ends) if points else []
    return {mark.id: place for mark, place in zip(chart.strong, where, strict=True)}
