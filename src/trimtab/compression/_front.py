"""What is best for something: the Pareto front, the ranks behind it, and the volume that it covers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["dominates", "hypervolume", "pareto_front", "pareto_ranks"]

Values = Sequence[float]


def dominates(one: Values, other: Values) -> bool:
    """Says whether something is nowhere worse than something else, and better somewhere; less is better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def pareto_front(points: Sequence[Values]) -> list[int]:
    """Returns the places of the points that no other one dominates; less is better in every direction.

    Equal points do not dominate each other: the first of them stays.

    Example:
        >>> pareto_front([(0.10, 50), (0.08, 90), (0.12, 60)])
        [0, 1]
    """
    found: list[int] = []
    for index, point in enumerate(points):
        if any(dominates(other, point) for other in points):
            continue
        if any(tuple(points[earlier]) == tuple(point) for earlier in found):
            continue
        found.append(index)
    return found


def pareto_ranks(points: Sequence[Values]) -> list[int]:
    """Returns for each point how many fronts lie before its own: 0 for those that none dominates.

    The non-dominated sorting of K. Deb et al., "A fast and elitist multiobjective genetic algorithm:
    NSGA-II", 2002, section III.
    """
    ranks = [-1] * len(points)
    left, rank = list(range(len(points))), 0
    while left:
        front = [i for i in left if not any(dominates(points[j], points[i]) for j in left)]
        for index in front:
            ranks[index] = rank
        left = [index for index in left if ranks[index] < 0]
        rank += 1
    return ranks


def hypervolume(points: Sequence[Values], reference: Values) -> float:
    """Returns the volume of what is dominated by the points and itself better than the reference.

    The larger, the better the front (E. Zitzler and L. Thiele, 1998). By slices along the last direction;
    made for two or three directions and hundreds of points.

    Args:
        points: less is better in every direction. Those not better than the reference add nothing.
        reference: the worst that counts.
    """
    corner = np.asarray(reference, float)
    inside = [np.asarray(point, float) for point in points]
    inside = [point for point in inside if (point < corner).all()]
    return _volume(np.asarray(inside), corner) if inside else 0.0


def _volume(points: npt.NDArray[np.float64], corner: npt.NDArray[np.float64]) -> float:
    """Adds up slices along the last direction, each the volume of what lies before it in the others."""
    if points.shape[1] == 1:
        return float(corner[0] - points[:, 0].min())
    points = points[np.argsort(points[:, -1], kind="stable")]
    edges = [*points[1:, -1], corner[-1]]
    total = 0.0
    for count, (point, edge) in enumerate(zip(points, edges, strict=True), start=1):
        thickness = float(edge - point[-1])
        if thickness > 0:
            total += thickness * _volume(points[:count, :-1], corner[:-1])
    return total
