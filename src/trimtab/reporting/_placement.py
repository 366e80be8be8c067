"""Where to write the name of a point so that names do not cover each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trimtab.reporting._charts import Point

__all__ = ["PLACES", "limits", "log_ticks", "places"]

# Offsets of a label's box from its point, in label sizes: (left edge, bottom edge), and Plotly's word.
PLACES: dict[str, tuple[float, float]] = {
    "middle right": (0.0, -0.5),
    "top center": (-0.5, 0.0),
    "bottom center": (-0.5, -1.0),
    "middle left": (-1.0, -0.5),
    "top right": (0.0, 0.0),
    "top left": (-1.0, 0.0),
    "bottom right": (0.0, -1.0),
    "bottom left": (-1.0, -1.0),
}


@dataclass(frozen=True)
class _Box:
    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: _Box) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.top, other.top) - max(self.bottom, other.bottom)
        return wide * high if wide > 0 and high > 0 else 0.0


def limits(points: tuple[Point, ...], log_x: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns the ends of both axes, with room for labels; x in powers of ten where it is logarithmic."""
    xs = [end for point in points for end in (point.x, *(point.x_interval or ())) if end > 0]
    ys = [end for point in points for end in (point.y, *(point.y_interval or ()))]
    if log_x:
        xs = [math.log10(x) for x in xs]
    return _padded(xs, 0.16), _padded(ys, 0.12)


def log_ticks(left: float, right: float) -> list[float]:
    """Returns round numbers between two powers of ten: 1, 2, 5 of each decade, fewer where it is wide."""
    steps = (1, 2, 5) if right - left < 2.6 else (1,)
    decades = range(math.floor(left), math.ceil(right) + 1)
    values = [step * 10.0**decade for decade in decades for step in steps]
    return [float(f"{value:.6g}") for value in values if left <= math.log10(value) <= right]


def places(
    points: tuple[Point, ...], log_x: bool, width: float = 560.0, height: float = 300.0, letter: float = 7.0
) -> list[str]:
    """Chooses a place for each point's name, greedily, away from points, error bars and other names.

    Args:
        points: what is drawn.
        log_x: whether the x axis is logarithmic.
        width: of the plotting area in pixels; height likewise.
        height: see `width`.
        letter: width of a letter in pixels.
    """
    (left, right), (low, high) = limits(points, log_x)
    spots = [
        (
            (math.log10(point.x) if log_x else point.x) - left,
            point.y - low,
        )
        for point in points
    ]
    spots = [(x / (right - left) * width, y / (high - low) * height) for x, y in spots]
    taken = [_Box(x - 7, y - 7, x + 7, y + 7) for x, y in spots]
    for point, (x, _) in zip(points, spots, strict=True):
        if point.y_interval is not None:
            bottom, top = ((end - low) / (high - low) * height for end in point.y_interval)
            taken.append(_Box(x - 2, bottom, x + 2, top))
    chosen = []
    for point, (x, y) in zip(points, spots, strict=True):
        wide, tall = letter * len(point.name) + 6, 16.0
        best = min(PLACES, key=lambda place: _cost(_boxed(place, x, y, wide, tall), taken, width, height))
        taken.append(_boxed(best, x, y, wide, tall))
        chosen.append(best)
    return chosen


def _boxed(place: str, x: float, y: float, wide: float, tall: float) -> _Box:
    across, up = PLACES[place]
    gap = 8.0
    left = x + across * wide + gap * (across + 0.5) * 2
    bottom = y + up * tall + gap * (up + 0.5) * 2
    return _Box(left, bottom, left + wide, bottom + tall)


def _cost(box: _Box, taken: list[_Box], width: float, height: float) -> float:
    """How bad a place is: what it covers, and far worse, what falls outside the picture."""
    area = (box.right - box.left) * (box.top - box.bottom)
    outside = area - box.overlap(_Box(0, 0, width, height))
    return 5 * outside + sum(box.overlap(other) for other in taken)


def _padded(values: list[float], part: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * part or abs(high) * part or 1.0
    return low - room, high + room
