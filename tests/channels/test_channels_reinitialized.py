"""Fresh initial weights, by seed and name of the layer alone."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import zoo
from trimtab.channels import reinitialized
from trimtab.errors import ConfigError
from trimtab.models import clone

pytestmark = pytest.mark.backend


def toy(extra: bool = False) -> keras.Model:
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(6, name="a"), layers.BatchNormalization()], name="inner"
    )
    inputs = keras.Input((6,))
    x = layers.Dense(6, name="b")(inner(inputs))
    if extra:
        x = layers.Dense(6, name="extra")(x)
    return keras.Model(inputs, layers.Dense(2, name="logits")(x))


def kernels(model: keras.Model) -> list[np.ndarray]:
    inner, dense = model.layers[1], model.get_layer("b")
    return [np.asarray(inner.get_layer("a").kernel), np.asarray(dense.kernel)]


def test_weights_depend_on_the_seed_and_the_names() -> None:
    model, longer = toy(), toy(extra=True)
    state = random.getstate()
    one, same, other = reinitialized(model, 1), reinitialized(longer, 1), reinitialized(model, 2)
    assert random.getstate() == state
    for first, second, third in zip(kernels(one), kernels(same), kernels(other), strict=True):
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, third)
    assert not np.array_equal(*kernels(one))


def test_statistics_start_anew_and_the_model_stays_as_it_is() -> None:
    model = toy()
    model.layers[1].layers[-1].moving_mean.assign(np.full(6, 3.0))
    model.get_layer("b").trainable = False
    before = [np.array(weight) for weight in model.get_weights()]
    fresh = reinitialized(model)
    np.testing.assert_array_equal(fresh.layers[1].layers[-1].moving_mean, np.zeros(6))
    assert not fresh.get_layer("b").trainable
    assert fresh.get_config() == clone(model).get_config()
    for was, weight in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(was, weight)


def test_what_was_adapted_stays() -> None:
    standard = layers.Normalization()
    standard.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)).astype("float32"))
    model = keras.Sequential([keras.Input((4,)), standard])
    points = np.ones((2, 4), "float32")
    fresh = reinitialized(model)
    got, wanted = (keras.ops.convert_to_numpy(one(points)) for one in (fresh, model))
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_our_own_architectures_come_back_as_they_are_built() -> None:
    model, wanted = (
        zoo.cnn((8, 8, 1), 3, filters=(4,), dense=4, batch_norm=True, seed=seed) for seed in (0, 5)
    )
    for one, other in zip(reinitialized(model, 5).weights, wanted.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1"])
def test_seeds_are_whole_numbers(seed: object) -> None:
    with pytest.raises(ConfigError, match="seed"):
        reinitialized(toy(), seed)  # type: ignore[arg-type]
