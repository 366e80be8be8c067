"""The first of many states that meets a limit, found in few measurements."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Bracket", "first_within", "narrowed"]

Measure = Callable[[int], float]


class Bracket(NamedTuple):
    """Two places on either side of a limit.

    Args:
        over: a place that does not meet it.
        within: a later one that does.
    """

    over: int
    within: int


def first_within(count: int, limit: float, measure: Measure) -> int:
    """Finds the first place whose cost is within the limit, where costs fall from place to place.

    Args:
        count: number of places; the last one must be within the limit.
        limit: the largest cost that is.
        measure: exact cost of a place, cheap.
    """
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if measure(middle) <= limit:
            high = middle
        else:
            low = middle + 1
    return low


def narrowed(
    bracket: Bracket,
    limit: float,
    measure: Measure,
    estimate: Measure,
    *,
    most: int = 8,
    near: float = 0.01,
) -> Bracket:
    """Narrows a bracket around a limit, with few measurements: each one takes seconds.

    The next place is where a line through the two ends, over an estimate that is cheap to work out, meets
    the limit. Where that moved the same end twice, the middle is taken instead, so that it always ends.

    Args:
        bracket: its ends must have been measured.
        limit: the largest cost that is within.
        measure: cost of a place; remembers what it measured.
        estimate: what the cost grows with, such as the number of parameters; falls from place to place.
        most: at most so many measurements.
        near: it is good enough when the cost within is at most this share below the limit.

    Returns:
        The narrower bracket. Its `within` met the limit when it was measured.
    """
    over, within = bracket
    same_side = 0
    for _ in range(most):
        if within - over <= 1 or measure(within) >= limit * (1 - near):
            break
        place = _guess(over, within, limit, measure, estimate, bisect=abs(same_side) >= 2)
        if measure(place) <= limit:
            within, same_side = place, max(same_side, 0) + 1
        else:
            over, same_side = place, min(same_side, 0) - 1
    return Bracket(over, within)


def _guess(over: int, within: int, limit: float, measure: Measure, estimate: Measure, *, bisect: bool) -> int:
    """Returns a place strictly between two others, at which the cost should just be within the limit."""
    high, low = estimate(over), estimate(within)
    share = 0.5
    if not bisect and measure(over) > measure(within):
        # A little inside of the limit, since a place that misses it by a hair is of no use.
        aim = limit * 0.997
        share = min(max((measure(over) - aim) / (measure(over) - measure(within)), 0.0), 1.0)
    wanted = high + share * (low - high)
    inside = range(over + 1, within)
    found = first_within(len(inside), wanted, lambda offset: estimate(inside[offset]))
    return inside[found]
