"""Where the centroids of k-means start."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trimtab.clustering._sorted_rows import SortedRows

__all__ = ["INITS", "initial"]

INITS = ("kmeans++", "linear", "density")

_SAMPLE = 1 << 20  # values that k-means++ looks at in all rows together
_LEAST, _MOST = 256, 1 << 16  # and in each


def initial(
    lines: SortedRows, clusters: int, init: str, generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Returns the centroids that k-means starts from, (rows, clusters), ascending.

    Args:
        lines: the values.
        clusters: how many centroids each row gets.
        init: one of `INITS`.
        generator: draws for "kmeans++".
    """
    if init == "linear":
        return _linear(lines, clusters)
    if init == "density":
        return _density(lines, clusters)
    return _plus_plus(lines, clusters, generator)


def _linear(lines: SortedRows, clusters: int) -> npt.NDArray[np.float64]:
    """Spreads them evenly from the least value to the largest."""
    ends = lines.at_ranks(np.concatenate([np.zeros_like(lines.counts), lines.counts - 1], axis=1))
    return np.linspace(ends[:, 0], ends[:, 1], clusters, axis=1)


def _density(lines: SortedRows, clusters: int) -> npt.NDArray[np.float64]:
    """Takes the values in the middle of stretches that hold equally many."""
    middles = (np.arange(clusters) + 0.5) / clusters
    return lines.at_ranks((lines.counts * middles).astype(np.int64))


def _plus_plus(lines: SortedRows, clusters: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draws one after the other, a value with a chance that grows with the square of its distance.

    The draw is from values at evenly spaced ranks, the least and the largest among them: tens of thousands
    in a row show its distribution as well as millions do.
    """
    size = int(min(max(_SAMPLE // lines.rows, _LEAST), _MOST, max(lines.length, 1)))
    shares = np.linspace(0.0, 1.0, size)
    sample = lines.at_ranks((np.maximum(lines.counts - 1, 0) * shares).astype(np.int64))
    every = np.arange(lines.rows)
    found = np.empty((lines.rows, clusters))
    found[:, 0] = sample[every, generator.integers(size, size=lines.rows)]
    distance = np.square(sample - found[:, :1])
    for number in range(1, clusters):
        heights = np.cumsum(distance, axis=1)
        drawn = generator.random(lines.rows) * heights[:, -1]
        place = np.minimum((heights <= drawn[:, None]).sum(axis=1), size - 1)
        found[:, number] = sample[every, place]
        distance = np.minimum(distance, np.square(sample - found[:, number, None]))
    return np.sort(found, axis=1)
