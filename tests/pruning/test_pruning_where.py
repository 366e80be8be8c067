from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import NM, Blocks, ForXNNPACK
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.where._selection import select
from trimtab.pruning.where._where import choose_weights, unmet

layers = keras.layers
pytestmark = pytest.mark.backend


class Block(layers.Layer):
    """A layer that holds others, as custom blocks do."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inside = layers.Dense(4, name="inside")

    def build(self, shape):
        self.inside.build(shape)

    def call(self, inputs):
        return self.inside(inputs)


class Own(keras.Model):
    """A subclassed model."""

    def __init__(self):
        super().__init__(name="own")
        self.first = layers.Dense(4, name="first")
        self.block = Block(name="block")
        self.last = layers.Dense(2, name="last")

    def call(self, inputs):
        return self.last(self.block(self.first(inputs)))


def deep():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="a"), Block(name="block")], name="inner"
    )
    inputs = keras.Input((4,))
    outputs = layers.Dense(3, name="head")(layers.BatchNormalization(name="norm")(inner(inputs)))
    return keras.Model(inputs, outputs, name="deep")


def mixed():
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.SeparableConv2D(6, 3, name="separable"),
            layers.Flatten(name="flat"),
            layers.Dense(5, name="dense"),
            layers.Dense(2, name="head"),
        ],
        name="mixed",
    )


def chosen(model, *args, **options):
    return [f"{weight.layer}.{weight.name}" for weight in choose_weights(model, *args, **options)[0]]


ALL = ["inner/a.kernel", "inner/block/inside.kernel", "head.kernel"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ALL),
        ({"layers": ["inner"]}, ALL[:2]),
        ({"layers": ("inside", "head")}, ALL[1:]),
        ({"layers": ["inner/a"]}, ALL[:1]),
        ({"layers": ["inner/block"]}, ALL[1:2]),
        ({"exclude": ["inner"]}, ALL[2:]),
        ({"layers": ["inner"], "exclude": ["block"]}, ALL[:1]),
        ({"layers": layers.Dense}, ALL),
        ({"layers": Block}, ALL[1:2]),
        ({"layers": keras.Sequential}, ALL[:2]),
        ({"layers": [Block, "head"]}, ALL[1:]),
        ({"exclude": Block}, [ALL[0], ALL[2]]),
        ({"exclude": layers.Conv2D}, ALL),
        ({"layers": lambda layer: layer.units == 3}, ALL[2:]),
        ({"exclude": lambda layer: layer.name == "inside"}, [ALL[0], ALL[2]]),
        ({"skip_ends": True}, ALL[1:2]),
        ({"layers": ["inner"], "skip_ends": True}, ALL[1:2]),
    ],
)
def test_layers_are_chosen_by_name_class_and_function(options, names):
    assert chosen(deep(), **options) == names


def two_of_one_name():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="a"), layers.Dense(4, name="b")], name="inner"
    )
    return keras.Sequential([keras.Input((4,)), layers.Dense(4, name="a"), inner], name="m")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"layers": ["a"]}, ["a.kernel"]),
        ({"layers": ["inner/a"]}, ["inner/a.kernel"]),
        ({"layers": ["a", "inner"]}, ["a.kernel", "inner/a.kernel", "inner/b.kernel"]),
        ({"layers": ["b"]}, ["inner/b.kernel"]),
        ({"exclude": ["a"]}, ["inner/a.kernel", "inner/b.kernel"]),
    ],
)
def test_a_path_wins_over_a_name_deeper_inside(options, names):
    assert chosen(two_of_one_name(), **options) == names


def test_a_target_goes_to_the_layer_of_that_path():
    criterion = Criterion()
    found = select(two_of_one_name(), criterion=criterion, targets={"a": 0.5, "inner": 0.9})
    assert [weight.target for weight in found] == [0.5, 0.9, 0.9]
    with pytest.raises(ConfigError, match="targets has no sparsity for layer 'inner/a'"):
        select(two_of_one_name(), ["inner/a"], criterion=criterion, targets={"a": 0.5})


class Twins(keras.Model):
    """Layers, and blocks, of one name side by side: a subclassed model may have them."""

    def __init__(self):
        super().__init__(name="twins")
        self.first = layers.Dense(4, name="same")
        self.second = layers.Dense(4, name="same")
        self.blocks = [Block(name="block"), Block(name="block")]

    def call(self, inputs):
        return self.blocks[1](self.blocks[0](self.second(self.first(inputs))))


def test_layers_of_one_name_are_told_apart():
    model = Twins()
    model(np.zeros((1, 4), "float32"))
    names = ["same#1.kernel", "same#2.kernel", "block#1/inside.kernel", "block#2/inside.kernel"]
    assert chosen(model) == names
    assert chosen(model, ["same"]) == names[:2]
    assert chosen(model, ["same#2"]) == names[1:2]
    assert chosen(model, ["block#2"]) == names[3:]
    assert chosen(model, ["block/inside"]) == chosen(model, ["inside"]) == names[2:]
    found = select(model, criterion=Criterion(), targets={"same#1": 0.1, "same": 0.2, "block#2/inside": 0.3})
    assert [weight.target for weight in found] == [0.1, 0.2, 0.3]


def test_named_layers_that_are_left_alone_are_told():
    weights, skipped = choose_weights(mixed(), ["depthwise", "dense", "separable"], granularity=NM(2, 4))
    (told,) = unmet(["depthwise", "dense", "separable"], weights, skipped)
    assert told.startswith(
        "layer 'depthwise' was asked for, but is left alone: 2:4 goes along input channels"
    )


def test_subclassed_models_are_looked_into():
    model = Own()
    model(np.zeros((1, 4), "float32"))
    assert chosen(model) == ["first.kernel", "block/inside.kernel", "last.kernel"]
    assert chosen(model, skip_ends=True) == ["block/inside.kernel"]
    assert chosen(model, Block) == ["block/inside.kernel"]


def test_a_shared_layer_is_pruned_once():
    inputs = keras.Input((4,))
    shared = layers.Dense(4, name="shared")
    assert chosen(keras.Model(inputs, shared(shared(inputs)))) == ["shared.kernel"]


def test_what_is_left_alone_is_told_with_the_reason():
    model = deep()
    model.get_layer("head").trainable = False
    assert choose_weights(model, exclude=["block"])[1] == [
        ("norm", "BatchNormalization has no kernel that may be pruned"),
        ("inner/block/inside", "excluded"),
        ("head", "frozen (trainable=False)"),
    ]
    assert ("inner/a", "not among the layers asked for") in choose_weights(deep(), ["head"])[1]
    ends = choose_weights(deep(), skip_ends=True)[1]
    assert ("inner/a", "the first prunable layer") in ends
    assert ("head", "the last prunable layer") in ends


def test_weights_that_the_granularity_refuses_are_left_alone():
    weights, skipped = choose_weights(mixed(), granularity=NM(2, 4))
    names = [f"{weight.layer}.{weight.name}" for weight in weights]
    assert names == ["separable.pointwise_kernel", "dense.kernel", "head.kernel"]
    assert {name for name, _ in skipped} == {"conv", "depthwise", "separable"}
    assert all(len(reason) > 10 for _, reason in skipped)
    with pytest.raises(ConfigError, match="Nothing is left to prune in the model 'mixed'") as caught:
        choose_weights(mixed(), layers=layers.DepthwiseConv2D, granularity=NM(2, 4))
    assert "\n" not in str(caught.value)
    assert chosen(mixed(), granularity=Blocks(1, 1)) == chosen(mixed())


def test_a_layer_adapted_with_lora_is_frozen_and_the_reason_says_so():
    model = deep()
    model.get_layer("head").enable_lora(2)
    weights, skipped = choose_weights(model)
    assert [weight.layer for weight in weights] == ["inner/a", "inner/block/inside"]
    assert ("head", "its kernel is frozen by LoRA: prune before enable_lora()") in skipped


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"layers": ["haed"]},
            r"no layer 'haed' .* Did you mean 'head'\? It has: head, inner/a, inner/block/inside",
        ),
        ({"exclude": ["x"]}, "no layer 'x'"),
        ({"layers": "head"}, "needs a list of layer names"),
        ({"layers": 3}, "needs a list of layer names"),
        ({"layers": [3]}, "needs a list of layer names"),
        ({"layers": [int]}, "neither"),
        ({"layers": []}, "empty list"),
        ({"layers": ["norm"]}, "Nothing is left to prune"),
        ({"layers": ["head"], "exclude": ["head"]}, "head: excluded"),
        ({"layers": layers.Conv2D}, "no prunable layer of class Conv2D. Its prunable layers are of: Dense"),
        ({"layers": lambda layer: False}, "not among the layers asked for"),
        ({"layers": lambda layer: layer.filters > 3}, "fails on layer 'inner/a' .Dense.: AttributeError"),
        ({"exclude": ForXNNPACK()}, "exclude cannot be a policy"),
        ({"layers": ["head"], "skip_ends": True}, "the last prunable layer"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        choose_weights(deep(), **options)
    assert "\n" not in str(caught.value)


def test_layer_objects_are_refused_with_their_names():
    model = deep()
    with pytest.raises(ConfigError, match=r"Give \['head'\]"):
        choose_weights(model, model.get_layer("head"))
    with pytest.raises(ConfigError, match="Give its name, 'head'"):
        choose_weights(model, [model.get_layer("head")])


def test_many_reasons_stay_one_short_line():
    model = keras.Sequential([keras.Input((4,)), *[layers.Dense(4, name=f"d{i}") for i in range(9)]])
    with pytest.raises(ConfigError, match=r"d0, d1, d2 and 6 more: excluded"):
        choose_weights(model, exclude=layers.Dense)


def test_an_unbuilt_model_is_refused():
    with pytest.raises(ModelError, match="has no weights yet"):
        choose_weights(keras.Sequential([layers.Dense(3)]))
    with pytest.raises(ModelError, match="has no weights yet"):
        choose_weights(Own())


def test_a_model_with_nan_is_refused_where_it_would_be_pruned():
    model = deep()
    model.get_layer("head").kernel.assign(np.full((4, 3), np.nan, "float32"))
    with pytest.raises(ModelError, match="'kernel' of layer 'head' holds NaN"):
        choose_weights(model)
    assert chosen(model, exclude=["head"]) == ALL[:2]
