"""Families of networks: what is told of a width without building it is what a built one has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trimtab import models, zoo
from trimtab.compression._candidate import ZooNetwork
from trimtab.compression._facts import counted
from trimtab.compression._families import FAMILIES, Ladder, built_counts, families_for


def simple(network: ZooNetwork) -> tuple[float, float, float]:
    """Counts of a network whose kernels, channels and MACs are known at each width."""
    width = dict(network.options)["width"]
    return 100 * width**2 + 30 * width, 21 * width + 10, 1e5 * width**2


@pytest.fixture
def ladder() -> Ladder:
    family = next(family for family in FAMILIES if family.name == "resnet-8")
    return Ladder(family, simple)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_estimates_are_exact_at_other_widths(family) -> None:
    counts: Callable[[ZooNetwork], tuple[float, float, float]] = built_counts((28, 28, 1), 10)
    ladder, network = Ladder(family, counts), family.network(13)
    model = zoo.build(network.architecture, (28, 28, 1), 10, **dict(network.options))
    kernels, channels = counted(model)
    assert ladder._at(13)[:2] == (pytest.approx(kernels), pytest.approx(channels))
    assert ladder.expected(13)["macs"] == pytest.approx(models.macs(model))


def test_a_converted_network_mends_the_estimates(ladder: Ladder) -> None:
    ladder.learn(ladder.family.network(4), {"bytes": 9000, "latency_ms": 1.6, "memory_bytes": 800})
    assert ladder.expected(4)["bytes"] == pytest.approx(9000)
    assert ladder.expected(8)["latency_ms"] == pytest.approx(6.4)
    assert ladder.expected(8)["memory_bytes"] == pytest.approx(1600)


def test_the_widest_that_keeps_all_limits(ladder: Ladder) -> None:
    width = ladder.widest({"bytes": 50_000})
    assert width is not None
    assert ladder.expected(width)["bytes"] <= 50_000 < ladder.expected(width + 1)["bytes"]
    assert ladder.widest({"bytes": 50_000, "macs": 4e5}) == 2
    assert ladder.widest({"bytes": 1000}) is None


def test_small_images_have_their_families() -> None:
    assert [family.name for family in families_for((4, 4, 1))] == ["cnn-two-stages"]
    assert len(families_for((28, 28, 1))) == len(FAMILIES)
