"""Layers that do two things at once."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.quantization import fold


@pytest.mark.backend
def test_activations_become_layers(same_outputs, kinds):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu6", name="one")(inputs)
    x = layers.DepthwiseConv2D(3, activation="hard_swish", name="two")(x)
    x = layers.Activation("relu", name="three")(layers.Activation("linear")(x))
    x = layers.Conv2DTranspose(2, 2, activation=layers.LeakyReLU(0.2, name="leak"), name="four")(x)
    x = layers.Dense(3, activation="softmax", name="five")(layers.Flatten()(layers.Identity()(x)))
    folded = same_outputs(keras.Model(inputs, x))
    assert kinds(folded.model) == [
        "Conv2D", "ReLU", "DepthwiseConv2D", "Activation", "ReLU", "Conv2DTranspose", "LeakyReLU", "Flatten",
        "Dense", "Softmax",
    ]  # fmt: skip
    assert folded.model.get_layer("one_relu6").max_value == 6.0
    assert folded.origin["one_relu6"] == ("one",)
    assert isinstance(folded.model.get_layer("three"), layers.ReLU)


def test_a_shared_layer_keeps_one_activation(same_outputs, kinds):
    inputs = keras.Input((4,))
    shared = layers.Dense(4, activation="tanh", name="shared")
    folded = same_outputs(keras.Model(inputs, shared(shared(inputs))))
    assert kinds(folded.model).count("Dense") == kinds(folded.model).count("Activation") == 1


def test_penalties_stay_with_what_comes_out():
    inputs = keras.Input((4,))
    x = layers.Dense(4, activation="relu", activity_regularizer="l2")(inputs)
    model = keras.Model(inputs, x)
    values = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    folded = fold(model).model
    model(values), folded(values)
    np.testing.assert_allclose(sum(folded.losses), sum(model.losses), rtol=1e-5)


@pytest.mark.backend
def test_separable_convolutions_become_two(same_outputs, kinds):
    inputs = keras.Input((9, 9, 3))
    options = {"strides": 2, "padding": "same", "depth_multiplier": 2, "pointwise_regularizer": "l2"}
    x = layers.SeparableConv2D(5, 3, activation="relu", name="sep", **options)(inputs)
    x = layers.SeparableConv2D(4, 3, dilation_rate=2, use_bias=False, trainable=False, name="last")(x)
    folded = same_outputs(keras.Model(inputs, x))
    assert kinds(folded.model) == ["DepthwiseConv2D", "Conv2D", "ReLU", "DepthwiseConv2D", "Conv2D"]
    assert folded.origin["sep_depthwise"] == folded.origin["sep_pointwise"] == ("sep",)
    assert folded.model.get_layer("sep_pointwise").kernel_regularizer is not None
    assert not folded.model.get_layer("last_depthwise").trainable


def test_a_scaled_sum_is_a_plain_one(same_outputs, kinds):
    from trimtab._keras_internals import application_layers

    inputs = keras.Input((8, 8, 3))
    scale = application_layers()["CustomScaleLayer"](0.17)
    model = keras.Model(inputs, scale([inputs, layers.Conv2D(3, 1)(layers.ReLU()(inputs))]))
    assert kinds(same_outputs(model).model) == ["ReLU", "Conv2D", "Add"]
