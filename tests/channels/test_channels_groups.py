"""Which channels go together, in graphs of every shape."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.channels import ChannelGraph, find_groups
from trimtab.errors import ConfigError, ModelError

pytestmark = pytest.mark.backend


def conv(filters: int, name: str, **options: Any) -> Any:
    return layers.Conv2D(filters, 3, padding="same", name=name, **options)


def residual() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="stem_bn")(conv(8, "stem")(inputs))
    y = layers.ReLU(name="relu")(conv(6, "inner")(x))
    x = layers.Add(name="add")([x, conv(8, "outer")(y)])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(4, name="logits")(x), name="residual")


def named(graph: ChannelGraph) -> dict[str, tuple[int, tuple[str, ...], str | None]]:
    return {group.name: (group.size, group.layers, group.locked) for group in graph.groups}


def roles(graph: ChannelGraph, name: str) -> list[tuple[str, str, int, str]]:
    return [(m.layer, m.weight, m.axis, m.role) for m in graph.group(name).members]


def test_a_residual_block() -> None:
    graph = find_groups(residual())
    assert named(graph) == {
        "stem": (8, ("stem", "stem_bn", "outer"), None),
        "inner": (6, ("inner",), None),
        "logits": (4, ("logits",), "leads to the model's output"),
    }
    assert roles(graph, "stem") == [
        ("stem", "kernel", 3, "out"),
        ("stem", "bias", 0, "out"),
        ("stem_bn", "gamma", 0, "scale"),
        ("stem_bn", "beta", 0, "scale"),
        ("stem_bn", "moving_mean", 0, "scale"),
        ("stem_bn", "moving_variance", 0, "scale"),
        ("inner", "kernel", 2, "in"),
        ("outer", "kernel", 3, "out"),
        ("outer", "bias", 0, "out"),
        ("logits", "kernel", 0, "in"),
    ]
    assert all(group.exact for group in graph.groups)
    assert all(list(member.units) == list(range(8)) for member in graph.group("stem").members)


def test_the_same_model_gives_the_same_groups() -> None:
    one, other = find_groups(residual()), find_groups(residual())
    assert named(one) == named(other)
    assert roles(one, "stem") == roles(other, "stem")


def test_a_group_is_found_by_its_name() -> None:
    graph = find_groups(residual())
    assert graph.group("inner").size == 6
    with pytest.raises(ConfigError, match=r"no group of channels 'iner'. Did you mean 'inner'\?"):
        graph.group("iner")


def test_units_are_numbered_through_all_groups() -> None:
    graph = find_groups(residual())
    assert graph.units == 18
    mask = graph.unit_mask({"inner": [0, 5]})
    assert mask.tolist() == [True] * 9 + [False] * 4 + [True] * 5
    kernel = next(axis for axis in graph.axes if (axis.layer, axis.axis) == ("outer", 2))
    assert mask[kernel.units].tolist() == [True, False, False, False, False, True]


def test_calls_say_where_channels_stand_in_tensors() -> None:
    graph = find_groups(residual())
    calls = {call.path: call for call in graph.calls}
    assert calls["stem"].inputs[0].ids == {}
    assert calls["add"].outputs[0].ids[3].tolist() == list(range(8))
    assert calls["pool"].outputs[0].ids[1].tolist() == list(range(8))


def test_a_sequential_model() -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(5, name="one"), layers.Dense(2, name="two")])
    assert named(find_groups(model)) == {
        "one": (5, ("one",), None),
        "two": (2, ("two",), "leads to the model's output"),
    }


def test_every_output_locks() -> None:
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 1))]
    one, two, free = conv(4, "one")(inputs[0]), conv(5, "two")(inputs[1]), conv(6, "free")(inputs[1])
    last = conv(2, "last")(layers.Concatenate()([one, two, free]))
    model = keras.Model(inputs, {"map": one, "answers": [last, two]})
    locked = {group.name: group.locked is not None for group in find_groups(model).groups}
    assert locked == {"one": True, "two": True, "free": False, "last": True}


def test_a_layer_called_twice_ties_both_calls() -> None:
    inputs = keras.Input((8, 8, 3))
    shared = conv(4, "shared")
    left, right = shared(conv(5, "left")(inputs)), shared(conv(5, "right")(inputs))
    outputs = conv(2, "last")(layers.Concatenate()([left, right]))
    graph = find_groups(keras.Model(inputs, outputs))
    assert named(graph)["left"] == (5, ("left", "right"), None)
    assert named(graph)["shared"] == (4, ("shared",), None)
    taken = next(member for member in graph.group("shared").members if member.layer == "last")
    assert taken.units.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_a_layer_that_also_takes_the_image_keeps_its_inputs() -> None:
    inputs = keras.Input((8, 8, 3))
    shared = conv(3, "shared")
    outputs = conv(2, "last")(shared(shared(inputs)))
    graph = find_groups(keras.Model(inputs, outputs))
    assert graph.group("shared").locked is not None
    assert "shares the kernel of 'shared'" in graph.group("shared").locked


def nested(name: str) -> keras.Model:
    inputs = keras.Input((8, 8, 5))
    x = layers.BatchNormalization(name="bn")(conv(5, "conv")(inputs))
    return keras.Model(inputs, layers.ReLU()(x), name=name)


def test_nested_models_have_paths() -> None:
    inputs = keras.Input((8, 8, 3))
    x = nested("base")(conv(5, "stem")(inputs))
    head = keras.Sequential([keras.Input((8, 8, 5)), conv(4, "conv"), conv(2, "last")], name="head")
    graph = find_groups(keras.Model(inputs, head(x)))
    assert named(graph) == {
        "stem": (5, ("stem",), None),
        "base/conv": (5, ("base/conv", "base/bn"), None),
        "head/conv": (4, ("head/conv",), None),
        "head/last": (2, ("head/last",), "leads to the model's output"),
    }


def test_a_nested_model_called_twice_ties_both_calls() -> None:
    inputs = keras.Input((8, 8, 3))
    twice = nested("twice")
    x = twice(twice(conv(5, "stem")(inputs)))
    assert find_groups(keras.Model(inputs, conv(2, "last")(x))).group("stem").layers == (
        "stem",
        "twice/conv",
        "twice/bn",
    )


def test_a_nested_model_without_weights_ties_what_it_is_called_on() -> None:
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.ReLU()], name="inner")
    inputs = keras.Input((8, 8, 3))
    left, right = inner(conv(4, "left")(inputs)), inner(conv(4, "right")(inputs))
    outputs = conv(2, "last")(layers.Concatenate()([left, right]))
    assert named(find_groups(keras.Model(inputs, outputs)))["left"] == (4, ("left", "right"), None)


def test_a_variable_of_two_layers_ties_them() -> None:
    inputs = keras.Input((6,))
    one, two = layers.Dense(6, name="one"), layers.Dense(6, name="two")
    outputs = layers.Dense(2, name="last")(two(one(layers.Dense(6, name="stem")(inputs))))
    model = keras.Model(inputs, outputs)
    two._tracker.unlock()
    two._kernel = one._kernel
    assert named(find_groups(model))["stem"][1] == ("stem", "one", "two")


class Opaque(layers.Layer):
    """A layer that no rule knows."""

    def call(self, x: Any) -> Any:
        return x * 2


def test_what_is_not_understood_locks_both_sides() -> None:
    inputs = keras.Input((8, 8, 3))
    x = Opaque(name="mine")(conv(4, "before")(inputs))
    x = layers.Lambda(lambda x: x + 1, name="code")(conv(5, "after")(x))
    x = conv(6, "free")(x)
    groups = named(find_groups(keras.Model(inputs, conv(2, "last")(x))))
    assert groups["before"][2] == "Opaque 'mine' is not understood"
    assert groups["after"][2] == "the Lambda layer 'code' may compute anything"
    assert groups["free"][2] is None


def test_what_an_unknown_layer_adds_to_stays() -> None:
    inputs = keras.Input((8, 8, 3))
    unknown = Opaque(name="mine")(inputs)
    x = layers.Add(name="sum")([conv(3, "conv")(inputs), unknown])
    group = find_groups(keras.Model(inputs, conv(2, "last")(x))).group("conv")
    assert group.locked == "meets an input, a constant or something else that always stays in 'sum'"


def test_weights_that_an_unknown_layer_holds_stay() -> None:
    held = conv(4, "held")

    class Holder(layers.Layer):
        def __init__(self) -> None:
            super().__init__(name="holder")
            self.inner = held

        def call(self, x: Any) -> Any:
            return self.inner(x)

    inputs = keras.Input((8, 8, 3))
    x = layers.Concatenate()([held(inputs), Holder()(inputs)])
    assert find_groups(keras.Model(inputs, conv(2, "last")(x))).group("held").locked is not None


def test_a_branch_that_leads_nowhere_is_no_matter() -> None:
    inputs = keras.Input((8, 8, 3))
    x = conv(4, "stem")(inputs)
    conv(7, "unused")(x)
    groups = named(find_groups(keras.Model(inputs, conv(2, "last")(x))))
    assert set(groups) == {"stem", "last"}


def test_channels_of_one_layer_with_different_fates_are_different_groups() -> None:
    inputs = keras.Input((8, 8, 3))
    wide, half, other = conv(6, "wide")(inputs), conv(4, "half")(inputs), conv(2, "other")(inputs)
    x = layers.Add()([wide, layers.Concatenate()([half, other])])
    graph = find_groups(keras.Model(inputs, conv(2, "last")(x)))
    assert named(graph)["half"] == (4, ("half", "wide"), None)
    assert named(graph)["other"] == (2, ("other", "wide"), None)
    kernel = next(member for member in graph.group("other").members if member.layer == "wide")
    assert kernel.units.tolist() == [-1, -1, -1, -1, 0, 1]


def test_a_model_without_channels_has_no_groups() -> None:
    inputs = keras.Input((8, 8, 3))
    graph = find_groups(keras.Model(inputs, layers.ReLU()(inputs)))
    assert graph.groups == ()
    assert graph.units == 0
    assert len(graph.calls) == 1


def test_a_model_of_its_own_class_has_no_graph() -> None:
    class Mine(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="mine")
            self.dense = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Mine()
    model(np.zeros((1, 3), "float32"))
    with pytest.raises(ModelError, match=r"'mine' cannot be followed: it is a class of its own \(Mine\)"):
        find_groups(model)
    with pytest.raises(ModelError, match="has no weights yet"):
        find_groups(keras.Sequential([layers.Dense(2)]))


def test_every_place_is_in_one_group_only() -> None:
    model = keras.applications.MobileNetV3Small(weights=None, input_shape=(32, 32, 3), classes=10)
    graph = find_groups(model)
    for axis in graph.axes:
        own = [m.units >= 0 for g in graph.groups for m in g.members if m.variable is axis.variable]
        axes = [m.axis for g in graph.groups for m in g.members if m.variable is axis.variable]
        total = sum(np.array(mask, int) for mask, one in zip(own, axes, strict=True) if one == axis.axis)
        assert (total == (axis.units >= 0)).all()
    assert [group.name for group in graph.groups if group.locked] == ["logits"]
