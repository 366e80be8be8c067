"""Operators of keras.ops as layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

SHAPE = (8, 8, 4)

LAYERS = {
    "Add": lambda x, y: x + y,
    "Subtract": lambda x, y: x - y,
    "Multiply": lambda x, y: ops.multiply(x1=x, x2=y),
    "Maximum": ops.maximum,
    "ReLU": lambda x, y: ops.relu(x),
    "LeakyReLU": lambda x, y: ops.leaky_relu(x, 0.3),
    "ELU": lambda x, y: ops.elu(x, 0.7),
    "Activation": lambda x, y: ops.silu(x),
    "Softmax": lambda x, y: ops.softmax(x),
    "GlobalAveragePooling2D": lambda x, y: ops.mean(x, axis=(1, 2)),
    "GlobalMaxPooling2D": lambda x, y: ops.max(x, axis=(-3, -2), keepdims=True),
    "Reshape": lambda x, y: ops.reshape(x, (-1, 4, 64)),
    "Permute": lambda x, y: ops.transpose(x, (0, 3, 1, 2)),
    "Concatenate": lambda x, y: ops.concatenate([x, y], axis=-1),
    "ZeroPadding2D": lambda x, y: ops.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0))),
    "AveragePooling2D": lambda x, y: ops.average_pool(x, 2, padding="same", data_format="channels_last"),
    "MaxPooling2D": lambda x, y: ops.max_pool(x, (2, 2), strides=1, data_format="channels_last"),
}


def two_branches(operator):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, operator(layers.ReLU()(inputs), layers.LeakyReLU()(inputs)))


def test_each_becomes_the_layer_that_does_the_same(same_outputs, kinds):
    for name, operator in LAYERS.items():
        folded = same_outputs(two_branches(operator))
        assert kinds(folded.model)[-1] == name
        assert all(isinstance(one, keras.Layer) for one in folded.model.operations), name
        assert not folded.kept


OPERATORS = {
    "clipped elsewhere": lambda x, y: ops.clip(x, 0.1, 0.5),
    "other axis": lambda x, y: ops.mean(x, axis=-1),
    "mixed batch": lambda x, y: ops.reshape(x, (-1, 4)),
    "constant of two axes": lambda x, y: x + np.ones((8, 4), "float32"),
    "divided by": lambda x, y: 1.0 / (x + y + 1.0),
    "sliced": lambda x, y: x[:, 1:],
    "broadcast constant": lambda x, y: (
        ops.mean(x, axis=(1, 2), keepdims=True) + np.ones((1, 8, 8, 1), "float32")
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_others_stay_and_are_told(name, same_outputs):
    folded = same_outputs(two_branches(OPERATORS[name]))
    assert len(folded.kept) == 1
    assert "no layer for the operator" in next(iter(folded.kept.values()))


CONSTANTS = {
    "plus": lambda x: x + 3.0,
    "minus": lambda x: x - np.float32(2.0),
    "from": lambda x: 1.0 - x,
    "times": lambda x: 0.25 * x,
    "over": lambda x: x / 5.0,
    "negative": lambda x: -x,
    "by channel": lambda x: x * np.arange(1.0, 6.0, dtype="float32") + np.arange(5.0, dtype="float32"),
}


def test_constants_become_part_of_the_layer_before(same_outputs, kinds):
    for operator in CONSTANTS.values():
        inputs = keras.Input(SHAPE)
        model = keras.Model(inputs, layers.LeakyReLU()(operator(layers.Conv2D(5, 3)(inputs))))
        assert kinds(same_outputs(model).model) == ["Conv2D", "LeakyReLU"]


def test_constants_of_vectors_and_maps_that_nobody_takes(same_outputs, kinds):
    inputs = keras.Input(SHAPE)
    x = layers.ReLU()(layers.ReLU()(inputs) * 0.5)
    x = ops.mean(x, axis=(1, 2))
    folded = same_outputs(keras.Model(inputs, ops.sigmoid(x * x + 1.0)))
    assert kinds(folded.model) == [
        "ReLU", "DepthwiseConv2D", "ReLU", "GlobalAveragePooling2D", "Multiply", "Rescaling", "Activation",
    ]  # fmt: skip


SWISH = {
    "divided gate": lambda x: x * (layers.ReLU(6.0)(x + 3.0) * (1 / 6)),
    "divided gate first": lambda x: (ops.relu6(x + 3.0) / 6.0) * x,
    "divided last": lambda x: x * ops.relu6(x + 3.0) / 6.0,
}


@pytest.mark.parametrize("name", SWISH)
def test_hard_swish_is_recognized(name, same_outputs, kinds):
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, SWISH[name](layers.Conv2D(5, 3)(inputs)))
    folded = same_outputs(model)
    assert kinds(folded.model) == ["Conv2D", "Activation"]
    assert len(folded.origin[folded.model.layers[-1].name]) == 4


def test_a_hard_sigmoid_gate_costs_nothing(same_outputs, kinds):
    inputs = keras.Input(SHAPE)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    gate = layers.ReLU(6.0)(layers.Conv2D(4, 1)(gate) + 3.0) * (1 / 6)
    model = keras.Model(inputs, layers.Conv2D(5, 1)(layers.Multiply()([inputs, gate])))
    folded = same_outputs(model)
    assert kinds(folded.model) == ["GlobalAveragePooling2D", "Conv2D", "ReLU", "Multiply", "Conv2D"]


def test_not_a_hard_swish(same_outputs, kinds):
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(5, 3)(inputs)
    gate = ops.relu6(x + 2.0) / 6.0
    folded = same_outputs(keras.Model(inputs, x * gate))
    assert "Activation" not in kinds(folded.model)
