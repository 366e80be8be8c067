from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from trimtab.benchmarking import paired_ratio, time_interleaved

MILLISECOND = 1_000_000


class Stage:
    """A clock that only the calls move on, and the order in which they came."""

    def __init__(self) -> None:
        self.now = 0
        self.calls: list[str] = []

    def clock(self) -> int:
        return self.now

    def subject(self, name: str, takes: Callable[[int], float]) -> Callable[[], None]:
        """A call that takes so many nanoseconds, given how often it was called."""
        count = 0

        def call() -> None:
            nonlocal count
            self.calls.append(name)
            self.now += int(takes(count))
            count += 1

        return call

    def turns(self) -> list[str]:
        """The names in order, each run of the same name once."""
        return self.calls[:1] + [late for early, late in pairwise(self.calls) if late != early]


def steady(milliseconds: float) -> Callable[[int], float]:
    return lambda _: milliseconds * MILLISECOND


def test_every_round_gives_each_subject_one_turn_in_changing_order() -> None:
    stage = Stage()
    calls = {name: stage.subject(name, steady(5)) for name in "abc"}
    time_interleaved(calls, rounds=12, seconds=100, clock=stage.clock)
    # Three calls fill a turn of 15 ms, after one that does not count. Warm-up comes before the rounds.
    rounds = np.asarray(stage.calls[-12 * 3 * 4 :]).reshape(12, 3, 4)
    assert (rounds == rounds[:, :, :1]).all()
    orders = ["".join(order) for order in rounds[:, :, 0]]
    assert {"".join(sorted(order)) for order in orders} == {"abc"}
    assert len(set(orders)) > 2


def test_same_seed_same_order() -> None:
    def order(seed: int) -> list[str]:
        stage = Stage()
        calls = {name: stage.subject(name, steady(5)) for name in "abc"}
        time_interleaved(calls, rounds=8, seconds=100, seed=seed, clock=stage.clock)
        return stage.turns()

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_times_are_those_of_the_calls() -> None:
    stage = Stage()
    calls = {"fast": stage.subject("fast", steady(0.05)), "slow": stage.subject("slow", steady(3))}
    found = time_interleaved(calls, rounds=20, seconds=100, clock=stage.clock)
    assert found["fast"].rounds == pytest.approx([0.05] * 20)
    assert found["slow"].rounds == pytest.approx([3.0] * 20)
    assert found["fast"].p90 == pytest.approx(0.05)
    # Fast and slow fill the same 15 ms.
    assert (found["fast"].calls, found["slow"].calls) == (20 * 300, 20 * 5)
    assert found["fast"].settled
    assert found["slow"].settled


def test_first_calls_do_not_count() -> None:
    stage = Stage()
    call = stage.subject("model", lambda count: 900 * MILLISECOND if count == 0 else 2 * MILLISECOND)
    found = time_interleaved({"model": call}, rounds=10, seconds=100, clock=stage.clock)["model"]
    assert found.p90 == pytest.approx(2)
    assert found.rounds == pytest.approx([2] * 10)


def test_a_call_that_finds_cold_caches_does_not_count() -> None:
    stage = Stage()
    last = [""]

    def warmed(name: str) -> Callable[[], None]:
        def call() -> None:
            stage.now += MILLISECOND * (1 if last[0] == name else 50)
            last[0] = name

        return call

    found = time_interleaved({name: warmed(name) for name in "ab"}, rounds=10, seconds=100, clock=stage.clock)
    assert found["a"].p90 == found["b"].p90 == pytest.approx(1)


def test_slow_subjects_end_in_time_but_not_before_five_rounds() -> None:
    stage = Stage()
    calls = {"slow": stage.subject("slow", steady(1000)), "fast": stage.subject("fast", steady(1))}
    found = time_interleaved(calls, rounds=100, seconds=1, clock=stage.clock)
    assert len(found["slow"].rounds) == len(found["fast"].rounds) == 5


def test_rounds_stop_when_the_seconds_are_over() -> None:
    stage = Stage()
    found = time_interleaved(
        {"model": stage.subject("model", steady(1))}, rounds=10_000, seconds=1, clock=stage.clock
    )
    assert 55 <= len(found["model"].rounds) <= 66  # rounds of 16 ms


def test_unsteady_warm_up_is_told() -> None:
    stage = Stage()
    call = stage.subject("model", lambda count: MILLISECOND * (1 + count))
    assert not time_interleaved({"model": call}, rounds=5, seconds=1, clock=stage.clock)["model"].settled


def test_pairs_survive_a_machine_that_slows_down() -> None:
    stage = Stage()

    def slowing(milliseconds: float) -> Callable[[int], float]:
        return lambda _: milliseconds * MILLISECOND * (1 + stage.now / 5e9)

    calls = {"base": stage.subject("base", slowing(2)), "half": stage.subject("half", slowing(1))}
    found = time_interleaved(calls, rounds=60, seconds=1000, clock=stage.clock)
    assert found["base"].rounds[-1] > 1.3 * found["base"].rounds[0]
    ratio = paired_ratio(found["base"].rounds, found["half"].rounds)
    assert ratio == pytest.approx((2, 2, 2), rel=0.02)
    assert ratio == paired_ratio(found["base"].rounds, found["half"].rounds)


def test_garbage_collector_rests_and_is_restored() -> None:
    stage, seen = Stage(), set()
    call = stage.subject("model", steady(5))

    def watched() -> None:
        seen.add(gc.isenabled())
        call()

    assert gc.isenabled()
    time_interleaved({"model": watched}, rounds=5, seconds=1, clock=stage.clock)
    assert seen == {False}
    assert gc.isenabled()


def test_garbage_collector_is_restored_after_an_error() -> None:
    def broken() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        time_interleaved({"model": broken})
    assert gc.isenabled()
