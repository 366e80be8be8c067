"""Bias correction: the means of the channels come back, and the outputs closer."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.errors import ConfigError, ModelError
from trimtab.quantization import calibrated, correct_bias
from trimtab.quantization._switches import quantizers, switched
from trimtab.quantization._watching import batches, channel_means, watch

pytestmark = pytest.mark.backend

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).random((80, *SHAPE)).astype(np.float32)
LAYERS = ["stem", "depthwise", "pointwise", "logits"]


@pytest.fixture(scope="module")
def aware():
    """A depthwise net with 4-bit kernels, which shift its channels."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input(SHAPE, name="images")
    x = layers.ReLU()(layers.Conv2D(8, 3, padding="same", name="stem")(inputs))
    y = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x))
    y = layers.Add(name="add")([layers.Conv2D(8, 1, name="pointwise")(y), x])
    y = layers.Conv2D(8, 1, use_bias=False, name="bare")(layers.ReLU()(y))
    outputs = layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="average")(y))
    return calibrated(keras.Model(inputs, outputs, name="net"), IMAGES, weights_bits=4)


@pytest.fixture(scope="module")
def corrected(aware):
    return correct_bias(aware, IMAGES)


def means(model, on=True):
    run = watch(model, LAYERS, channel_means)
    with switched(model, quantizers(model) if on else ()):
        found = [run(batch) for batch in batches(IMAGES)]
    sizes = [len(batch) for batch in batches(IMAGES)]
    return {name: np.average([one[name][0] for one in found], axis=0, weights=sizes) for name in LAYERS}


def outputs(model):
    return keras.ops.convert_to_numpy(model(IMAGES, training=False))


def test_the_means_of_the_channels_come_back(aware, corrected):
    wanted, before, after = means(aware, on=False), means(aware), means(corrected.model)
    for layer in corrected.layers:
        off, left = (np.abs(one[layer.name] - wanted[layer.name]).mean() for one in (before, after))
        assert left < off / 5
        assert left < 0.01 * np.abs(wanted[layer.name]).mean()
        assert layer.shift > 0
        assert layer.share > 0.001
    with switched(aware, ()):
        exact = outputs(aware)
    error, left = (np.square(outputs(one) - exact).mean() for one in (aware, corrected.model))
    assert left < error / 2


def test_it_says_what_it_did(aware, corrected):
    assert [layer.name for layer in corrected.layers] == LAYERS
    assert dict(corrected.skipped) == {"bare": "has no bias"}
    assert corrected.images == len(IMAGES)
    assert type(corrected.model) is type(aware)


def test_only_biases_change_and_the_given_model_is_untouched(aware, corrected):
    for old, new in zip(aware.weights, corrected.model.weights, strict=True):
        same = np.array_equal(np.array(old), np.array(new))
        assert same is (old.name != "bias"), old.path


def test_quantizers_are_put_back_where_the_block_fails(aware):
    def stopped():
        with switched(aware, ()):
            assert not any(float(np.array(layer.enabled)) for layer in quantizers(aware))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert all(float(np.array(layer.enabled)) for layer in quantizers(aware))


def test_a_layer_that_is_called_twice_is_left_alone():
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE, name="images")
    shared = layers.Conv2D(3, 1, name="shared")
    x = layers.Flatten()(shared(layers.ReLU()(shared(inputs))))
    aware = calibrated(keras.Model(inputs, layers.Dense(4, name="logits")(x)), IMAGES)
    told = dict(correct_bias(aware, IMAGES[:20]).skipped)
    assert told == {"shared": "is called more than once, and its bias serves all calls"}


def test_bad_input(aware):
    with pytest.raises(ConfigError, match="correct_bias needs images as float32"):
        correct_bias(aware, IMAGES[:0])
    plain = keras.Sequential([layers.Input(SHAPE), layers.Flatten(), layers.Dense(4)], name="plain")
    with pytest.raises(
        ModelError, match=r"correct_bias needs a model with quantizers .* but 'plain' has none"
    ):
        correct_bias(plain, IMAGES)
