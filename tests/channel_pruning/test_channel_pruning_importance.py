"""The scores of units, against what the papers' formulas give by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.channel_pruning import (
    FPGM,
    L1,
    L2,
    BNScale,
    ChannelFunction,
    ChannelImportance,
    ChannelRandom,
    ChannelTaylor,
    channel_importance,
)
from trimtab.channels import ChannelGroup, Member
from trimtab.errors import ConfigError

RANDOM = np.random.default_rng(5)


def member(name, weight, axis, role="out", units=None):
    variable = keras.Variable(np.asarray(weight, "float32"))
    units = np.arange(variable.shape[axis]) if units is None else np.asarray(units)
    return Member("layer", variable, name, axis, units, role)


def group(*members, size=4, name="conv"):
    return ChannelGroup(name, size, members, None, True, ("conv",))


OUT = RANDOM.normal(size=(3, 3, 2, 4))
INTO = RANDOM.normal(size=(8, 5))
GAMMA = RANDOM.normal(size=4)


def stack():
    """A convolution with bias and batch normalisation, and a dense layer behind a map of two places."""
    return group(
        member("kernel", OUT, 3),
        member("bias", RANDOM.normal(size=4), 0),
        member("gamma", GAMMA, 0, "scale"),
        member("beta", RANDOM.normal(size=4), 0, "scale"),
        member("moving_mean", RANDOM.normal(size=4), 0, "scale"),
        member("moving_variance", RANDOM.normal(size=4) ** 2, 0, "scale"),
        member("kernel", INTO, 0, "in", units=[0, 1, 2, 3] * 2),
    )


@pytest.mark.parametrize(("importance", "power"), [(L1(), 1), (L2(), 2)])
def test_norms_add_up_kernels_and_scales_over_the_group(importance, power):
    wanted = [
        (np.abs(OUT[..., unit]) ** power).sum()
        + np.abs(GAMMA[unit]) ** power
        + (np.abs(INTO[[unit, unit + 4]]) ** power).sum()
        for unit in range(4)
    ]
    np.testing.assert_allclose(importance.score(stack()), wanted, rtol=1e-5)


def test_the_scale_of_batch_normalisation():
    np.testing.assert_allclose(BNScale().score(stack()), np.abs(GAMMA), rtol=1e-6)
    assert BNScale().refuses(stack()) is None
    assert "no normalisation with a scale" in BNScale().refuses(group(member("kernel", OUT, 3)))


def test_the_unit_nearest_to_the_geometric_median_scores_least():
    other = RANDOM.normal(size=(1, 1, 7, 4))
    found = FPGM().score(
        group(member("kernel", OUT, 3), member("bias", GAMMA, 0), member("kernel", other, 3))
    )
    vectors = [np.concatenate([OUT[..., unit].ravel(), other[..., unit].ravel()]) for unit in range(4)]
    wanted = [sum(np.linalg.norm(one - another) for another in vectors) for one in vectors]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert "no kernel makes" in FPGM().refuses(group(member("gamma", GAMMA, 0, "scale")))


def test_a_unit_that_others_equal_goes_first_however_large_it_is():
    kernel = RANDOM.normal(size=(3, 6)) * 0.1
    kernel[:, [1, 4]] = [[9.0], [9.0], [9.0]]  # two large ones that are the same, in the middle of the rest
    kernel[:, [0, 2, 3, 5]] += 9.0 + np.array([[2, -2, 2, -2], [2, 2, -2, -2], [0, 0, 0, 0]])
    assert set(np.argsort(FPGM().score(group(member("kernel", kernel, 1), size=6)))[:2]) == {1, 4}


def test_units_of_several_channels_are_taken_whole():
    heads = [0, 0, 1, 1, -1]
    kernel = RANDOM.normal(size=(3, 5))
    one = group(member("kernel", kernel, 1, units=heads), size=2)
    np.testing.assert_allclose(
        L1().score(one), [np.abs(kernel[:, :2]).sum(), np.abs(kernel[:, 2:4]).sum()], rtol=1e-6
    )
    distance = np.linalg.norm(kernel[:, :2] - kernel[:, 2:4])
    np.testing.assert_allclose(FPGM().score(one), [distance, distance], rtol=1e-5)


def test_taylor_squares_the_sum_over_the_group_batch_by_batch():
    one = group(
        member("kernel", OUT, 3), member("gamma", GAMMA, 0, "scale"), member("kernel", INTO[:4], 0, "in")
    )
    batches = [
        [RANDOM.normal(size=OUT.shape), None, RANDOM.normal(size=(4, 5))],
        [RANDOM.normal(size=OUT.shape), RANDOM.normal(size=4), RANDOM.normal(size=(4, 5))],
    ]
    memory = None
    for gradients in batches:
        memory = ChannelTaylor().observe(memory, one, gradients)
    wanted = np.zeros(4)
    for kernel, gamma, into in batches:
        change = (OUT * kernel).sum(axis=(0, 1, 2)) + (INTO[:4] * into).sum(axis=1)
        wanted += (change + (0 if gamma is None else GAMMA * gamma)) ** 2
    np.testing.assert_allclose(ChannelTaylor().score(one, memory), wanted, rtol=1e-4)
    with pytest.raises(ConfigError, match="'taylor' needs gradients to score group 'conv'"):
        ChannelTaylor().score(one)


def test_random_depends_on_seed_and_group_alone():
    here, there = group(size=50), group(size=50, name="other")
    assert np.array_equal(ChannelRandom().score(here), ChannelRandom(0).score(here))
    assert not np.array_equal(ChannelRandom(1).score(here), ChannelRandom(0).score(here))
    assert not np.array_equal(ChannelRandom().score(there), ChannelRandom().score(here))


def test_a_function_sees_the_group_and_its_weights():
    def last_weight(one, weights):
        assert [weight.shape for weight in weights] == [tuple(part.variable.shape) for part in one.members]
        return np.abs(weights[-1]).sum(axis=1)[: one.size]

    importance = channel_importance(last_weight)
    assert isinstance(importance, ChannelFunction)
    assert importance.name == "last_weight"
    np.testing.assert_allclose(importance.score(stack()), np.abs(INTO).sum(axis=1)[:4], rtol=1e-6)


@pytest.mark.parametrize("name", ["l1", "l2", "bn_scale", "taylor", "fpgm", "random"])
def test_names(name):
    importance = channel_importance(name)
    assert isinstance(importance, ChannelImportance)
    assert importance.name == name
    assert channel_importance(importance) is importance


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("tailor", "An importance of channels is one of 'l1', .* but got 'tailor'. Did you mean 'taylor'"),
        (3, "but got 3"),
        (L2, "but got <class"),
    ],
)
def test_what_is_no_importance(value, told):
    with pytest.raises(ConfigError, match=told):
        channel_importance(value)


def test_seeds_and_functions_that_make_no_sense():
    with pytest.raises(ConfigError, match="ChannelRandom needs a seed of 0 or more"):
        ChannelRandom(-1)
    with pytest.raises(ConfigError, match="ChannelFunction needs a function"):
        ChannelFunction("l2")
