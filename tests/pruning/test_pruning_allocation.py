"""Sharing a total sparsity out over layers: exact, within its bounds, and fair to the layers that hurt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.errors import ConfigError
from trimtab.pruning.scanning._allocation import Curve, allocate

LEVELS = (0.25, 0.5, 0.75, 0.9, 0.95)

curves = st.builds(
    lambda size, increases, limit: Curve(size, LEVELS, tuple(increases), limit),
    st.integers(1, 100_000),
    st.lists(st.one_of(st.just(0.0), st.floats(-0.1, 8, allow_subnormal=False)), min_size=5, max_size=5),
    st.sampled_from([1.0, 0.9, 0.5]),
)
bounds = st.tuples(st.floats(0, 0.4), st.floats(0.5, 0.99))


def total(curves: list[Curve], shares: list[float]) -> float:
    return sum(c.size * s for c, s in zip(curves, shares, strict=True)) / sum(c.size for c in curves)


def reachable(curves: list[Curve], floor: float, ceiling: float, part: float) -> float:
    """A total between the least and the largest that the bounds allow."""
    least = total(curves, [min(floor, c.limit) for c in curves])
    most = total(curves, [min(ceiling, c.limit) for c in curves])
    return least + part * (most - least)


@settings(deadline=None, max_examples=80)
@given(st.lists(curves, min_size=1, max_size=6), bounds, st.floats(0, 1))
def test_the_total_is_reached_within_the_bounds(layers, bounds, part):
    floor, ceiling = bounds
    asked = reachable(layers, floor, ceiling, part)
    shares = allocate(layers, asked, floor, ceiling)
    assert total(layers, shares) == pytest.approx(asked, abs=1e-9)
    for layer, share in zip(layers, shares, strict=True):
        assert floor - 1e-12 <= share <= min(ceiling, layer.limit) + 1e-12
    # In whole weights, as masks are made: no further off than one weight a layer.
    zeros = sum(round(layer.size * share) for layer, share in zip(layers, shares, strict=True))
    assert abs(zeros - asked * sum(layer.size for layer in layers)) <= len(layers)


@settings(deadline=None, max_examples=60)
@given(st.lists(curves, min_size=1, max_size=6), bounds, st.floats(0, 1), st.floats(0, 1))
def test_no_layer_gets_less_when_more_is_asked_for(layers, bounds, one, other):
    low, high = (reachable(layers, *bounds, part) for part in sorted((one, other)))
    for less, more in zip(allocate(layers, low, *bounds), allocate(layers, high, *bounds), strict=True):
        assert less <= more + 1e-9


@settings(deadline=None, max_examples=60)
@given(curves, st.lists(st.floats(0, 4), min_size=5, max_size=5), st.integers(1, 10_000), st.floats(0, 1))
def test_the_layer_that_hurts_more_gets_less(layer, added, size, part):
    worse = Curve(
        size, LEVELS, tuple(max(i, 0) + a for i, a in zip(layer.increases, added, strict=True)), layer.limit
    )
    asked = reachable([layer, worse], 0.0, 0.98, part)
    gentle, hurt = allocate([layer, worse], asked, 0.0, 0.98)
    assert hurt <= gentle + 1e-9


def test_each_layer_stops_at_the_same_increase():
    steep, flat = Curve(100, (0.5, 0.9), (1.0, 5.0)), Curve(300, (0.5, 0.9), (0.1, 1.0))
    shares = allocate([steep, flat], 0.6, 0.0, 0.95)
    losses = [
        np.interp(share, [0, *curve.levels], [0, *curve.increases])
        for share, curve in zip(shares, (steep, flat), strict=True)
    ]
    assert losses[0] == pytest.approx(losses[1])
    assert shares[0] < 0.35 < 0.65 < shares[1]


def test_layers_that_never_hurt_share_evenly():
    harmless = [Curve(size, LEVELS, (0.0,) * 5) for size in (10, 1000)]
    assert allocate(harmless, 0.49, 0.0, 0.98) == pytest.approx([0.49, 0.49])


def test_a_loss_that_falls_again_is_noise():
    bumpy = Curve(100, (0.25, 0.5, 0.75), (0.4, 0.1, 0.5))
    steady = Curve(100, (0.25, 0.5, 0.75), (0.4, 0.4, 0.5))
    other = Curve(100, (0.25, 0.5, 0.75), (0.2, 0.3, 0.9))
    assert allocate([bumpy, other], 0.5, 0, 0.9) == allocate([steady, other], 0.5, 0, 0.9)


@pytest.mark.parametrize(("sparsity", "floor", "ceiling"), [(0.99, 0.0, 0.98), (0.1, 0.2, 0.9)])
def test_a_total_outside_the_bounds_is_refused(sparsity, floor, ceiling):
    with pytest.raises(ConfigError, match=r"cannot be shared out: with floor=.* zeros together"):
        allocate([Curve(100, (0.5,), (1.0,))], sparsity, floor, ceiling)
