from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.channel_pruning import recalibrate_batch_norm
from trimtab.data import from_arrays
from trimtab.errors import ConfigError, ModelError

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def data():
    images = RANDOM.random((120, 6, 6, 1)).astype("float32")
    return from_arrays((images, np.arange(120) % 2), name="noise", validation=0.2, test_share=0.2)


def net(**options) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    inputs = keras.Input((6, 6, 1))
    x = layers.Conv2D(3, 3, name="conv")(inputs)
    x = layers.BatchNormalization(name="norm", **options)(x)
    x = layers.Dropout(0.5)(layers.ReLU()(x))
    x = layers.BatchNormalization(name="later", **options)(layers.Conv2D(4, 3)(x))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def numbers(model: keras.Model) -> dict[str, np.ndarray]:
    return {w.path: np.array(ops.convert_to_numpy(w)) for w in model.weights}


@pytest.mark.backend
def test_the_statistics_are_those_of_all_images_and_nothing_else_changes(data):
    model, before = net(), None
    before = numbers(model)
    found = recalibrate_batch_norm(model, data, batch_size=9)
    assert found == ("norm", "later")
    images = data.train.inputs()[: len(data.train) // 9 * 9]
    seen = keras.Model(model.input, model.get_layer("conv").output)(images)
    seen = np.asarray(ops.convert_to_numpy(seen), np.float64)
    norm = model.get_layer("norm")
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_mean), seen.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_variance), seen.var((0, 1, 2)), rtol=1e-4)
    after = numbers(model)
    changed = {path for path in after if not np.array_equal(after[path], before[path])}
    assert len(changed) == 4
    assert all("moving_" in path for path in changed)
    assert type(norm) is keras.layers.BatchNormalization
    assert norm.momentum == 0.99


def test_dropout_is_off_and_the_same_call_gives_the_same_bits(data):
    first, second = net(), net()
    for model in (first, second):
        recalibrate_batch_norm(model, data, images=40, batch_size=16, seed=3)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.backend
def test_a_layer_that_is_called_twice_pools_both(data):
    norm = keras.layers.BatchNormalization(name="norm")
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Concatenate()([norm(inputs), norm(3 * inputs + 1)])
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    recalibrate_batch_norm(model, data, batch_size=24)
    images = data.train.inputs()[:72].astype(np.float64)
    both = np.concatenate([images, 3 * images + 1])
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_mean), [both.mean()], rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(norm.moving_variance), [both.var()], rtol=1e-4)


def test_frozen_layers_keep_their_statistics(data):
    model = net()
    model.get_layer("norm").trainable = False
    assert recalibrate_batch_norm(model, data) == ("later",)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.get_layer("norm").moving_mean), 0)


def test_without_such_layers_nothing_is_done(data):
    inputs = keras.Input((6, 6, 1))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    assert recalibrate_batch_norm(model, data) == ()


def test_a_failure_leaves_the_statistics_as_they_were(data):
    model = net()
    kernel = np.array(ops.convert_to_numpy(model.get_layer("conv").kernel))
    kernel[0, 0, 0, 0] = np.inf
    model.get_layer("conv").kernel.assign(kernel)
    with pytest.raises(ModelError, match="The statistics of 'norm' are not numbers"):
        recalibrate_batch_norm(model, data)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.get_layer("norm").moving_mean), 0)
    assert type(model.get_layer("norm")) is keras.layers.BatchNormalization
    with pytest.raises(ConfigError, match="batch_size=0"):
        recalibrate_batch_norm(model, data, batch_size=0)
