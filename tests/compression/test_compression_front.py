"""The Pareto front: nothing on it is dominated, nothing that is left out would belong there."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.compression import dominates, hypervolume, pareto_front, pareto_ranks

COORDINATE = st.integers(0, 6).map(float)
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE, COORDINATE), min_size=1, max_size=20)


@given(POINTS)
def test_no_point_of_the_front_is_dominated_and_every_other_one_is(points: list[tuple[float, ...]]) -> None:
    front = pareto_front(points)
    assert front
    for index in front:
        assert not any(dominates(other, points[index]) for other in points)
    kept = {points[index] for index in front}
    for point in points:
        assert point in kept or any(dominates(points[index], point) for index in front)
    assert len(kept) == len(front)


@given(POINTS)
def test_ranks_begin_with_the_front_and_each_lies_behind_the_one_before(
    points: list[tuple[float, ...]],
) -> None:
    ranks = pareto_ranks(points)
    assert {points[at] for at in pareto_front(points)} == {
        p for p, r in zip(points, ranks, strict=True) if not r
    }
    for point, rank in zip(points, ranks, strict=True):
        if rank:
            assert any(
                dominates(other, point) for other, its in zip(points, ranks, strict=True) if its == rank - 1
            )


@given(POINTS)
def test_the_volume_is_that_of_counted_cubes(points: list[tuple[float, ...]]) -> None:
    side = 5
    covered = sum(
        any(all(value <= corner for value, corner in zip(point, cube, strict=True)) for point in points)
        for cube in itertools.product(range(side), repeat=3)
    )
    assert hypervolume(points, (float(side),) * 3) == pytest.approx(covered)


def test_the_volume_of_two_directions() -> None:
    assert hypervolume([(1, 3), (2, 1)], (4, 4)) == pytest.approx(3 + 4)
    assert hypervolume([(5, 5)], (4, 4)) == 0.0
