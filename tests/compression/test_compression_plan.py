"""How time is split: rungs that fit, paces that learn."""

from __future__ import annotations

import pytest

from trimtab.compression._plan import Pace, Plan, Rung, batch_size_for, promotable


def test_the_parts_follow_each_other_within_the_time() -> None:
    for seconds in (30.0, 90.0, 1800.0):
        for trains in (True, False):
            plan = Plan(seconds, 54_000, 2, trains)
            assert 0 < plan.finals_begin < plan.training_ends < seconds
            assert not trains or plan.baseline_ends < plan.finals_begin


def test_a_rung_leaves_room_for_several_candidates() -> None:
    plan = Plan(1800, 54_000, 2, False)
    rung = plan.first_rung(20.0, 700.0, 5.0)
    assert 9 * (rung.epochs * rung.share * 20.0 + 5.0) <= 700.0 * 2
    slow = plan.first_rung(500.0, 700.0, 5.0)
    assert slow.epochs == 1
    assert slow.share < 0.2


def test_each_rung_is_three_times_as_long_until_only_a_full_training_is_left() -> None:
    plan = Plan(1800, 54_000, 2, False)
    rung, passes = Rung(0, 1, 0.2), [0.2]
    while (following := plan.next_rung(rung)) is not None:
        assert following.number == rung.number + 1
        rung = following
        passes.append(rung.epochs * rung.share)
    assert passes == [0.2, pytest.approx(0.6), 2, 6, 18]
    assert passes[-1] <= plan.full_epochs / 2 + 1


def test_the_pace_is_that_of_what_was_trained() -> None:
    pace = Pace(54_000)
    guess = pace.epoch(1e6)
    pace.learn(1e6, 3 * guess, 7.0)
    assert pace.epoch(1e6) == pytest.approx(3 * guess)
    assert pace.epoch(2e6) > pace.epoch(1e6)
    assert pace.epoch(1e6, 5.0) == 5.0
    assert pace.overhead == 7.0


@pytest.mark.parametrize(
    ("ranked", "promoted", "free"), [(2, 0, 0), (3, 0, 1), (3, 1, 0), (9, 1, 2), (8, 4, 0)]
)
def test_the_best_third_goes_on(ranked: int, promoted: int, free: int) -> None:
    assert promotable(ranked, promoted) == free


def test_few_images_have_small_batches() -> None:
    assert [batch_size_for(images) for images in (1000, 6000, 54_000)] == [32, 64, 128]
