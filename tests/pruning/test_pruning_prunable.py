from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import prunable_weights, sparsity_table
from trimtab.pruning._prunable import check_model, choose_weights

layers = keras.layers


class Sub(keras.layers.Dense):
    """A subclass prunes as its parent does."""


class Mine(keras.layers.Layer):
    """A layer with a weight of its own."""

    def build(self, shape):
        self.projection = self.add_weight(shape=(shape[-1], 4), name="projection")

    def call(self, inputs):
        return inputs @ self.projection


class Block(keras.layers.Layer):
    """A layer that holds others, as custom blocks do."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inside = keras.layers.Dense(4, name="inside")

    def build(self, shape):
        self.inside.build(shape)

    def call(self, inputs):
        return self.inside(inputs)


def chosen(model, **options):
    return [f"{weight.layer}.{weight.name}" for weight in choose_weights(model, **options)[0]]


@pytest.mark.parametrize(
    ("layer", "shape", "names"),
    [
        (layers.Dense(3), (4,), ["kernel"]),
        (Sub(3), (4,), ["kernel"]),
        (layers.EinsumDense("ab,bc->ac", 3), (4,), ["kernel"]),
        (layers.Conv1D(3, 2), (8, 4), ["kernel"]),
        (layers.Conv2D(3, 2), (8, 8, 4), ["kernel"]),
        (layers.Conv3D(3, 2), (8, 8, 8, 4), ["kernel"]),
        (layers.Conv1DTranspose(3, 2), (8, 4), ["kernel"]),
        (layers.Conv2DTranspose(3, 2), (8, 8, 4), ["kernel"]),
        (layers.Conv3DTranspose(3, 2), (8, 8, 8, 4), ["kernel"]),
        (layers.DepthwiseConv1D(2), (8, 4), ["kernel"]),
        (layers.DepthwiseConv2D(2), (8, 8, 4), ["kernel"]),
        (layers.SeparableConv1D(3, 2), (8, 4), ["depthwise_kernel", "pointwise_kernel"]),
        (layers.SeparableConv2D(3, 2), (8, 8, 4), ["depthwise_kernel", "pointwise_kernel"]),
        (layers.BatchNormalization(), (4,), []),
        (layers.Embedding(5, 3), (4,), []),
        (Mine(), (4,), []),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else "",
)
def test_kernels_may_be_pruned_and_nothing_else(layer, shape, names):
    layer.build((None, *shape))
    assert [weight.name for weight in prunable_weights(layer)] == names


def deep():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="a"), Block(name="block")], name="inner"
    )
    inputs = keras.Input((4,))
    outputs = layers.Dense(3, name="head")(layers.BatchNormalization(name="norm")(inner(inputs)))
    return keras.Model(inputs, outputs)


def test_nested_models_and_blocks_are_looked_into():
    assert chosen(deep()) == ["inner/a.kernel", "inner/block/inside.kernel", "head.kernel"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"layers": ["inner"]}, ["inner/a.kernel", "inner/block/inside.kernel"]),
        ({"layers": ["inside", "head"]}, ["inner/block/inside.kernel", "head.kernel"]),
        ({"layers": ["inner/a"]}, ["inner/a.kernel"]),
        ({"exclude": ["inner"]}, ["head.kernel"]),
        ({"layers": ["inner"], "exclude": ["block"]}, ["inner/a.kernel"]),
    ],
)
def test_layers_are_chosen_by_name(options, names):
    assert chosen(deep(), **options) == names


def test_what_is_left_alone_is_told_with_the_reason():
    model = deep()
    model.get_layer("head").trainable = False
    assert choose_weights(model, exclude=["block"])[1] == [
        ("norm", "BatchNormalization has no kernel that may be pruned"),
        ("inner/block/inside", "excluded"),
        ("head", "frozen (trainable=False)"),
    ]
    assert ("inner/a", "not among the layers asked for") in choose_weights(deep(), ["head"])[1]


def test_a_shared_layer_is_pruned_once():
    inputs = keras.Input((4,))
    shared = layers.Dense(4, name="shared")
    assert chosen(keras.Model(inputs, shared(shared(inputs)))) == ["shared.kernel"]


def test_a_layer_class_of_ones_own_is_registered():
    class Registered(Mine):
        pass

    prunable_weights.register(Registered, lambda layer: (layer.projection,))
    model = keras.Sequential([keras.Input((4,)), Registered(name="mine")])
    assert chosen(model) == ["mine.projection"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"layers": ["haed"]},
            r"no layer 'haed' .* Did you mean 'head'\? It has: head, inner/a, inner/block/inside",
        ),
        ({"exclude": ["x"]}, "no layer 'x'"),
        ({"layers": "head"}, "needs a list of layer names"),
        ({"layers": [3]}, "needs a list of layer names"),
        ({"layers": []}, "empty list"),
        ({"layers": ["norm"]}, "Nothing is left to prune"),
        ({"layers": ["head"], "exclude": ["head"]}, "head: excluded"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        choose_weights(deep(), **options)


def test_an_unbuilt_model_is_refused():
    with pytest.raises(ModelError, match="has no weights yet"):
        choose_weights(keras.Sequential([layers.Dense(3)]))


def test_a_model_with_nan_is_refused():
    model = deep()
    model.get_layer("head").kernel.assign(np.full((4, 3), np.nan, "float32"))
    with pytest.raises(ModelError, match="'kernel' of layer 'head' holds NaN"):
        choose_weights(model)


def test_a_keras_2_model_is_called_by_its_name():
    class Old:
        pass

    Old.__module__ = "tf_keras.src.engine.sequential"
    with pytest.raises(ModelError, match=r"is a Keras 2 model .*TF_USE_LEGACY_KERAS"):
        check_model(Old())
    with pytest.raises(ModelError, match="got dict"):
        check_model({})


def test_the_table_counts_zeros():
    model = deep()
    kernel = np.ones((4, 3), "float32")
    kernel[0] = [0.0, -0.0, 0.5]
    model.get_layer("head").kernel.assign(kernel)
    row = sparsity_table(model)[-1]
    assert (row.name, row.weight, row.size, row.zeros, row.asked) == ("head", "kernel", 12, 2, None)
    assert row.sparsity == pytest.approx(1 / 6)
