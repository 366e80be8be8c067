"""k-means on a line: it never gets worse, ends where it should, and leaves zeros out where asked."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trimtab.clustering._initial import INITS, initial
from trimtab.clustering._kmeans import kmeans, nearest
from trimtab.clustering._sorted_rows import SortedRows

ROWS = arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(3, 40)),
    elements=st.one_of(st.just(0.0), st.floats(-2, 2, width=32), st.sampled_from([0.5, -0.25, 1e-30])),
)
LIVELY = settings(deadline=None, max_examples=60)


def error(rows: np.ndarray, centroids: np.ndarray, skip_zeros: bool) -> float:
    """The sum of squared distances to the nearest centroid, the long way."""
    wide = rows.astype(np.float64)[:, :, None] - centroids.astype(np.float64)[:, None, :]
    distance = np.square(wide).min(axis=2)
    return float(distance[rows != 0].sum() if skip_zeros else distance.sum())


@LIVELY
@given(ROWS, st.integers(2, 6), st.sampled_from(INITS), st.booleans())
def test_no_step_makes_it_worse(rows: np.ndarray, clusters: int, init: str, skip_zeros: bool) -> None:
    found = [kmeans(rows, clusters, init, skip_zeros=skip_zeros, steps=steps) for steps in range(1, 8)]
    errors = [error(rows, one.centroids, skip_zeros) for one in found]
    slack = 1e-6 * float(np.square(rows, dtype=np.float64).sum()) + 1e-12  # centroids end as float32
    assert all(later <= earlier + slack for earlier, later in itertools.pairwise(errors))
    told = found[-1].errors
    assert all(later <= earlier + slack for earlier, later in itertools.pairwise(told))
    assert errors[-1] <= told[-1] + slack  # the last step's means, to which values go anew
    assert len(told) == found[-1].steps <= 7


@LIVELY
@given(ROWS, st.integers(2, 6), st.sampled_from(INITS), st.booleans())
def test_few_values_are_left_and_each_is_the_nearest(
    rows: np.ndarray, clusters: int, init: str, skip_zeros: bool
) -> None:
    centroids = kmeans(rows, clusters, init, skip_zeros=skip_zeros).centroids
    assert np.isfinite(centroids).all()
    assert (np.diff(centroids, axis=1) >= 0).all()
    given_back = nearest(rows, centroids, skip_zeros=skip_zeros)
    for row, out, own in zip(rows, given_back, centroids, strict=True):
        zero = (row == 0) & skip_zeros
        assert (out[zero] == 0).all()
        assert len(np.unique(out[~zero])) <= clusters
        distance = np.abs(row[~zero, None].astype(np.float64) - own)
        chosen = np.abs(row[~zero].astype(np.float64) - out[~zero])
        np.testing.assert_array_less(chosen, distance.min(axis=1) + 1e-7)


def best_error(values: np.ndarray, clusters: int) -> float:
    """The least error there is, by dynamic programming over the sorted values."""
    line = np.sort(values.astype(np.float64))
    sums, squares = (np.concatenate([[0], np.cumsum(line**power)]) for power in (1, 2))
    ends = np.arange(1, len(line) + 1)
    best = squares[1:] - sums[1:] ** 2 / ends  # of the first 1, 2, ... values, in one cluster
    for _ in range(clusters - 1):
        before = np.concatenate([[0], best[:-1]])  # starts of the last cluster
        best = np.array(
            [
                (
                    before[:end]
                    + (squares[end] - squares[:end])
                    - np.square(sums[end] - sums[:end]) / np.arange(end, 0, -1)
                ).min()
                for end in ends
            ]
        )
    return float(best[-1])


@pytest.mark.parametrize("init", ["kmeans++", "linear"])
def test_it_ends_next_to_the_optimum(init: str) -> None:
    """For the one hill of trained weights, where there are enough of them."""
    rows = np.random.default_rng(3).normal(size=(1, 3000)).astype(np.float32)
    found = error(rows, kmeans(rows, 8, init).centroids, False)
    best = best_error(rows[0], 8)
    assert best <= found * (1 + 1e-6)
    assert found <= 1.03 * best


def test_rows_are_clustered_each_by_itself() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 90)).astype(np.float32) * np.arange(1, 8)[:, None]
    rows = rows.astype(np.float32)
    rows[2, ::3] = 0
    for init in ("linear", "density"):  # nothing is drawn
        together = kmeans(rows, 4, init, skip_zeros=True)
        alone = [kmeans(row[None], 4, init, skip_zeros=True).centroids[0] for row in rows]
        np.testing.assert_allclose(together.centroids, alone, rtol=1e-5)


def test_where_centroids_start() -> None:
    lines = SortedRows(np.float32([[3, 0, -1, 1, 0, 2]]), skip_zeros=True)
    generator = np.random.default_rng(0)
    np.testing.assert_array_equal(initial(lines, 3, "linear", generator), [[-1, 1, 3]])
    np.testing.assert_array_equal(initial(lines, 2, "density", generator), [[1, 3]])
    many = SortedRows(np.random.default_rng(1).normal(size=(3, 500)).astype(np.float32))
    drawn = initial(many, 8, "kmeans++", np.random.default_rng(5))
    assert all(len(set(row)) == 8 for row in drawn.tolist())  # far from each other, so never one twice
    assert all(
        np.isin(own.astype(np.float32), row).all() for own, row in zip(drawn, many.values, strict=True)
    )


def test_the_same_seed_gives_the_same_clusters() -> None:
    rows = np.random.default_rng(0).normal(size=(2, 3000)).astype(np.float32)
    first, again, other = (kmeans(rows, 8, seed=seed, steps=1).centroids for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("skip_zeros", [False, True])
def test_rows_of_nothing_but_zeros_or_one_value(skip_zeros: bool) -> None:
    for rows in (np.zeros((1, 5)), np.zeros((2, 5)), np.full((1, 5), 0.25), np.full((3, 5), -0.25)):
        values = rows.astype(np.float32)
        found = kmeans(values, 4, skip_zeros=skip_zeros)
        np.testing.assert_array_equal(nearest(values, found.centroids, skip_zeros=skip_zeros), values)


def test_borders_are_rounded_to_the_side_that_changes_nothing() -> None:
    low, high = np.float32(1), np.nextafter(np.float32(1), np.float32(2))
    border = SortedRows.not_above(np.array([(float(low) + float(high)) / 2]))
    assert border[0] == low
    np.testing.assert_array_equal(nearest(np.array([[low, high]]), np.array([[low, high]])), [[low, high]])
