"""The fewest of some things that must be spared, found greedily and then pruned back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["fewest"]


def fewest(
    ranked: Sequence[str], enough: Callable[[tuple[str, ...]], bool], singles: Sequence[str] = ()
) -> tuple[str, ...] | None:
    """Looks for the fewest names that are enough together.

    First none, then each of `singles` by itself; then the names one after the other, until they are enough;
    then each of them is left out again where the others are enough without it. Nothing that is left can be
    left out. That is no proof that no other set is smaller, which would take all sets to know.

    Args:
        ranked: all names, the one that helps most first.
        enough: says whether some names are enough together; given in the order of `ranked`.
        singles: names that may be enough alone, the best one first.

    Returns:
        The names in the order of `ranked`; None where not even all are enough.

    Example:
        >>> fewest(["a", "b", "c"], lambda names: {"a", "c"} <= set(names))
        ('a', 'c')
    """
    for alone in ((), *((name,) for name in singles)):
        if enough(alone):
            return alone
    chosen: tuple[str, ...] = ()
    for name in ranked:
        chosen = (*chosen, name)
        if enough(chosen):
            break
    else:
        return None
    for name in chosen[-2::-1]:  # the last one was needed: without it they were not enough
        left = tuple(other for other in chosen if other != name)
        if enough(left):
            chosen = left
    return chosen
