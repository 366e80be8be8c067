"""Budgets: what people write, what contradicts itself, and which files keep one."""

from __future__ import annotations

import pytest

from trimtab.compression import Budget
from trimtab.errors import ConfigError

WHOLE = {"bytes": 80_000, "latency_ms": 2.0, "memory_bytes": 40_000, "gzip_bytes": 70_000, "accuracy": 0.93}


def test_limits_in_plain_units() -> None:
    budget = Budget(
        max_size="100KB", max_latency="500us", max_memory="256 KiB", max_download="50kB", min_accuracy="91%"
    )
    limits = budget.limits()
    assert (limits.max_size, limits.max_latency, limits.max_memory) == (100_000, 0.5, 262_144)
    assert (limits.max_download, limits.min_accuracy) == (50_000, pytest.approx(0.91))


def test_shares_and_drops_are_those_of_the_baseline() -> None:
    limits = Budget(max_size="25%", max_latency="0.5x", max_drop="0.5 points").limits(WHOLE)
    assert (limits.max_size, limits.max_latency) == (20_000, 1.0)
    assert limits.min_accuracy == pytest.approx(0.925)


def test_the_stricter_accuracy_counts() -> None:
    assert Budget(max_drop=0.5, min_accuracy=0.95).limits(WHOLE).min_accuracy == 0.95
    assert Budget(max_drop=0.5, min_accuracy=0.9).limits(WHOLE).min_accuracy == pytest.approx(0.925)


def test_a_share_of_an_unknown_baseline_is_refused() -> None:
    with pytest.raises(ConfigError, match="share of the baseline's, which is not known"):
        Budget(max_size="25%").limits()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "at least one limit"),
        ({"max_size": "100 parsecs"}, r"max_size='100 parsecs' is no amount"),
        ({"max_latency": "2kB"}, r"max_latency='2kB' is no amount"),
        ({"max_latency": "-2ms"}, "no amount"),
        ({"max_size": 0}, "no amount"),
        ({"max_size": True}, "no amount"),
        ({"max_size": "120%"}, "asks for all that there is, or more"),
        ({"max_drop": "2ms"}, "no drop of accuracy"),
        ({"max_drop": -1}, "no drop of accuracy"),
        ({"max_drop": 100}, "no drop of accuracy"),
        ({"min_accuracy": 91}, r"Did you mean '91%'\?"),
        ({"min_accuracy": 0}, "no share of the images"),
        ({"min_accuracy": "91 kB"}, "no share of the images"),
        ({"max_size": "50kB", "max_download": "60kB"}, "says nothing beside max_size"),
        ({"max_size": "50%", "max_download": "60%"}, "says nothing beside max_size"),
        ({"min_accuracy": 0.999, "max_drop": 1}, "leaves no room for max_drop"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(limits: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        Budget(**limits)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_what_a_file_has_too_much_of() -> None:
    limits = Budget(max_size="40kB", max_latency="4ms", min_accuracy=0.95).limits()
    assert limits.excess(WHOLE) == {"max_size": 2.0, "min_accuracy": pytest.approx(0.95 / 0.93)}
    assert not limits.keeps(WHOLE)
    assert limits.keeps({"bytes": 40_000, "latency_ms": None})  # what is not known breaks nothing
