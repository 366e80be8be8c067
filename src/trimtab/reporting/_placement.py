"""Where to write the name of a point so that names do not cover each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trimtab.reporting._chart import Interval, Point

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


_TALL = 16.0  # pixels of a line of text
_ROUNDS = 4


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
    """Returns round numbers between two powers of ten: a few of each decade, more where it is narrow."""
    ticks: list[float] = []
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        decades = range(math.floor(left), math.ceil(right) + 1)
        values = [float(f"{step * 10.0**decade:.6g}") for decade in decades for step in steps]
        ticks = [value for value in values if left <= math.log10(value) <= right]
        if len(ticks) >= 4:
            break
    return ticks


def places(
    points: tuple[Point, ...],
    log_x: bool,
    width: float = 450.0,
    height: float = 300.0,
    letter: float = 7.0,
    ends: tuple[Interval, Interval] | None = None,
) -> list[str]:
    """Chooses a place for each point's name, away from points, error bars and other names.

    Each name takes the best place there is beside what is drawn already; then each, in turn, may move
    now that the others are known.

    Args:
        points: what is drawn.
        log_x: whether the x axis is logarithmic.
        width: of the plotting area in pixels; height likewise.
        height: see `width`.
        letter: width of a letter in pixels.
        ends: of both axes; those that suit the points by default.
    """
    (left, right), (low, high) = ends or limits(points, log_x)
    spots = [
        (
            (math.log10(point.x) if log_x else point.x) - left,
            point.y - low,
        )
        for point in points
    ]
    spots = [(x / (right - left) * width, y / (high - low) * height) for x, y in spots]
    drawn = [(_Box(x - 8, y - 8, x + 8, y + 8), 2.0) for x, y in spots]
    for point, (x, _) in zip(points, spots, strict=True):
        if point.y_interval is not None:
            bottom, top = ((end - low) / (high - low) * height for end in point.y_interval)
            drawn.append((_Box(x - 3, bottom, x + 3, top), 1.0))
    frame = _Box(0, 0, width, height)
    sizes = [letter * len(point.name) * (1.1 if point.featured else 1.0) + 6 for point in points]
    chosen: dict[int, str] = {}
    for number in [*range(len(points))] * _ROUNDS:
        others = [
            (_boxed(place, spots[other], sizes[other]), 3.0)
            for other, place in chosen.items()
            if other != number
        ]
        boxes = {place: _boxed(place, spots[number], sizes[number]) for place in PLACES}
        chosen[number] = min(PLACES, key=lambda place: _cost(boxes[place], [*drawn, *others], frame))
    return [chosen[number] for number in range(len(points))]


def _boxed(place: str, spot: tuple[float, float], wide: float) -> _Box:
    """Returns the box of a name that is `wide` pixels, at a place beside its point."""
    across, up = PLACES[place]
    gap = 16.0
    left = spot[0] + across * wide + gap * (across + 0.5)
    bottom = spot[1] + up * _TALL + gap * (up + 0.5)
    return _Box(left, bottom, left + wide, bottom + _TALL)


def _cost(box: _Box, taken: list[tuple[_Box, float]], frame: _Box) -> float:
    """How bad a place is: what it covers by weight, and far worse, what falls outside the picture."""
    area = (box.right - box.left) * (box.top - box.bottom)
    outside = area - box.overlap(frame)
    return 5 * outside + sum(weight * box.overlap(other) for other, weight in taken)


def _padded(values: list[float], part: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * part or abs(high) * part or 1.0
    return low - room, high + room
