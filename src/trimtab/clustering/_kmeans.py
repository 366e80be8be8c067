"""k-means of numbers on a line: Lloyd's algorithm on sorted values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab.clustering._initial import initial
from trimtab.clustering._sorted_rows import SortedRows

__all__ = ["Clusters", "kmeans", "nearest"]

_ENOUGH = 1e-6  # a row is done when a step took less than this share off its error
_DRAWS = 10  # of k-means++: for a row by itself, and for as many rows as have together no more numbers than
_DRAWN = 1 << 22  # this, once each
_AT_ONCE = 1 << 22  # values looked up in one go, so that the places found need no more than 32 MiB


@dataclass(frozen=True, eq=False)
class Clusters:
    """What k-means found.

    Attributes:
        centroids: (rows, clusters), ascending; two may be equal where a row has fewer values than clusters.
        errors: sum of the squared distances of all values from their centroids, after each step. It never
            rises: each value goes to the nearest centroid, and then each centroid to the mean of its values.
        steps: how many steps were made.
    """

    centroids: npt.NDArray[np.float32]
    errors: tuple[float, ...]

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return len(self.errors)


def kmeans(
    rows: npt.NDArray[np.float32],
    clusters: int,
    init: str = "kmeans++",
    *,
    skip_zeros: bool = False,
    seed: int | tuple[int, ...] = 0,
    steps: int = 300,
) -> Clusters:
    """Finds a few numbers near which all values of a row lie, for each row by itself.

    In one dimension a cluster is a stretch of the sorted values, so a step needs no distances: the borders
    are the midpoints between centroids, found by bisection, and the means come from prefix sums. A step
    costs ``clusters * log(values)``, the sort is most of the work, and millions of weights take a second.

    The optimum could be computed (dynamic programming over the sorted values, Wang and Song 2011), at
    ``clusters * n`` or more for n values, which is hundreds of times the price for a large layer, and
    training moves the centroids anyway. So "kmeans++" starts ten times and keeps the best end of each row
    (of many large rows, fewer times). For the bell of trained weights that is within a few per cent of the
    least error; one start is up to 25 % above it, and "linear" may be twice as far in a small layer, since
    centroids that start where no weight is stay unused.

    Args:
        rows: (rows, values): finite numbers.
        clusters: how many centroids each row gets.
        init: where they start: "kmeans++", "linear" or "density"; see `trimtab.cluster`.
        skip_zeros: leave values that are exactly zero out of account.
        seed: of "kmeans++".
        steps: at most so many; a row stops earlier when a step gains less than a millionth of its error.

    References:
        S. P. Lloyd, "Least squares quantization in PCM", 1982.
        H. Wang, M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension", 2011.
    """
    lines = SortedRows(rows, skip_zeros)
    generator = np.random.default_rng(seed)
    draws = 1
    if init == "kmeans++":
        draws = _DRAWS if lines.rows == 1 else min(max(_DRAWN // rows.size, 1), _DRAWS)
    found, told = zip(
        *(_lloyd(lines, initial(lines, clusters, init, generator), steps) for _ in range(draws)), strict=True
    )
    most = max(len(errors) for errors in told)
    histories = np.stack([np.pad(errors, ((0, most - len(errors)), (0, 0)), mode="edge") for errors in told])
    every = np.arange(lines.rows)
    best = histories[:, -1].argmin(axis=0)
    errors = histories[best, :, every].sum(axis=0)
    return Clusters(np.stack(found)[best, every].astype(np.float32), tuple(errors.tolist()))


def _lloyd(
    lines: SortedRows, centroids: npt.NDArray[np.float64], steps: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns the centroids, and the error of each row after each step, (steps, rows)."""
    errors = [lines.squares]
    ends = np.full((lines.rows, centroids.shape[1] - 1), -1, np.int64)
    moving = np.arange(lines.rows)
    for _ in range(steps):
        places = lines.ranks(moving, _midpoints(centroids[moving]))
        counts, sums = lines.stretches(moving, places)
        means = np.divide(sums, counts, out=centroids[moving], where=counts > 0)
        # The squares of a cluster's distances from its mean: sum of squares - mean * sum.
        before, now = errors[-1], errors[-1].copy()
        now[moving] = np.maximum(lines.squares[moving] - (means * sums).sum(axis=1), 0.0)
        gains = (before - now)[moving] > _ENOUGH * before[moving]
        going = gains & (places != ends[moving]).any(axis=1)
        centroids[moving], ends[moving] = means, places
        errors.append(now)
        moving = moving[going]
        if not moving.size:
            break
    return centroids, np.stack(errors[1:])


def nearest(
    rows: npt.NDArray[np.float32], centroids: npt.NDArray[np.float32], *, skip_zeros: bool = False
) -> npt.NDArray[np.float32]:
    """Puts the nearest centroid of its row in the place of each value.

    Args:
        rows: (rows, values).
        centroids: (rows, clusters), ascending.
        skip_zeros: leave values that are exactly zero as they are.
    """
    given = np.empty_like(rows)
    for row, own, out in zip(rows, centroids, given, strict=True):
        borders = SortedRows.not_above(_midpoints(own.astype(np.float64)))
        for start in range(0, row.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            out[part] = own[np.searchsorted(borders, row[part])]
    if skip_zeros:
        given[rows == 0] = 0
    return given


def _midpoints(centroids: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns the borders between neighbouring centroids; a value on a border belongs to the lower one."""
    return (centroids[..., :-1] + centroids[..., 1:]) / 2
