"""The answer: which file is chosen, why, and what is said where nothing keeps the budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.compression import Budget, Point, dominates
from trimtab.compression._answer import answered


def point(name: str, accuracy: float, size: int, latency: float, **more: Any) -> Point:
    return Point(
        name=name, what=name, file=Path(f"{name}.tflite"), model=Path(f"{name}.keras"),
        val_accuracy=accuracy, val_images=6000, bytes=size, latency_ms=latency, parameters=size,
        **{"gzip_bytes": int(0.9 * size), "memory_bytes": 30_000, **more},
    )  # fmt: skip


BASELINE = point("baseline-int8", 0.93, 80_000, 1.0, baseline=True)
SMALL, MIDDLE, SLOW = (
    point("small", 0.90, 15_000, 0.2),
    point("middle", 0.92, 40_000, 0.5),
    point("slow", 0.915, 45_000, 0.9),  # dominated by the middle one
)
ALL = [BASELINE, SMALL, MIDDLE, SLOW]


def answer(**limits: Any) -> Any:
    budget = Budget(**limits)
    facts = {**BASELINE.facts(), "accuracy": 0.93}
    return answered(ALL, budget, budget.limits(facts))


def test_the_most_accurate_that_fits() -> None:
    found = answer(max_size="50kB")
    assert [each.name for each in found.front] == ["small", "middle", "baseline-int8"]
    assert found.chosen == "middle"
    assert found.why == (
        "middle is the most accurate of 2 files on the front that keep the budget: it classifies "
        "92.00% of the "
        "validation images rightly, with 40.0 kB of 50.0 kB."
    )


def test_the_smallest_where_only_accuracy_is_limited() -> None:
    assert answer(max_drop=1.5).chosen == "middle"
    assert answer(min_accuracy=0.89).chosen == "small"


def test_a_baseline_that_already_fits() -> None:
    found = answer(max_size="100kB")
    assert found.already
    assert found.chosen == "baseline-int8"
    assert not answer(max_size="50kB").already


def test_the_limit_that_stands_in_the_way() -> None:
    found = answer(max_size="50kB", min_accuracy=0.925)
    assert found.chosen is None
    assert set(found.binds) == {"max_size", "min_accuracy"}  # either alone would let something through
    assert "limits on size and accuracy stand in the way" in found.why
    assert found.misses[0].name == "middle"
    assert found.misses[0].sentence == "middle: accuracy 92.00% where at least 92.50% is asked for"
    assert answer(max_size="10kB").binds == ("max_size",)


def test_what_was_not_trained_can_be_the_nearest() -> None:
    budget = Budget(max_size="8kB")
    refused = {"cnn (width 1)": {"bytes": 9000, "latency_ms": None, "memory_bytes": 1, "gzip_bytes": 1}}
    found = answered(ALL, budget, budget.limits(), refused)
    assert (
        found.misses[0].sentence
        == "cnn (width 1) (not trained): size 9.0 kB where at most 8.0 kB is asked for"
    )
    assert (
        answered(ALL, Budget(max_size="50kB"), Budget(max_size="50kB").limits(), refused).chosen == "middle"
    )


@pytest.mark.parametrize(
    ("limit", "more"),
    [({"max_memory": "40kB"}, {"memory_bytes": 38_000}), ({"max_download": "15kB"}, {"gzip_bytes": 14_000})],
)
def test_a_file_that_keeps_the_budget_is_not_lost_to_a_better_one_that_does_not(
    limit: dict[str, Any], more: dict[str, Any]
) -> None:
    own = point("baseline-int8", 0.92, 20_000, 0.5, memory_bytes=60_000, baseline=True)
    frugal = point("frugal", 0.91, 25_000, 0.6, **more)
    found = answered([own, frugal], Budget(**limit), Budget(**limit).limits())
    assert found.chosen == "frugal"
    assert [each.name for each in found.front] == ["baseline-int8", "frugal"]
    unlimited = answered([own, frugal], Budget(max_size="30kB"), Budget(max_size="30kB").limits())
    assert [each.name for each in unlimited.front] == ["baseline-int8"]


LIMITED = {"max_size": "bytes", "max_memory": "memory_bytes", "max_download": "gzip_bytes"}


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(*[st.integers(0, 5), *[st.integers(1, 5)] * 4]), min_size=1, max_size=12, unique=True),
    st.sampled_from(sorted(LIMITED)),
    st.integers(1, 5),
)
def test_the_most_accurate_that_fits_is_chosen_whatever_is_limited(
    values: list[tuple[int, ...]], limited: str, limit: int
) -> None:
    points = [
        point(
            str(number), accuracy / 10, 1000 * size, float(latency),
            memory_bytes=1000 * memory, gzip_bytes=1000 * download,
        )
        for number, (accuracy, size, latency, memory, download) in enumerate(values)
    ]  # fmt: skip
    budget, fact = Budget(**{limited: 1000 * limit}), LIMITED[limited]  # type: ignore[arg-type]
    found = answered(points, budget, budget.limits())
    for each in found.front:
        better = [other for other in points if dominates(other.costs(), each.costs())]
        assert all(getattr(other, fact) > getattr(each, fact) for other in better)
    fitting = [each for each in points if getattr(each, fact) <= 1000 * limit]
    assert (found.chosen is None) == (not fitting)
    if found.chosen is not None:
        chosen = found.point(found.chosen)
        assert chosen is not None
        assert chosen.val_accuracy == max(each.val_accuracy for each in fitting)


def test_the_interval_of_the_validation_accuracy() -> None:
    low, high = SMALL.interval
    assert low < 0.90 < high
    assert high - low == pytest.approx(0.0152, abs=2e-4)
