"""The groups of a smaller model, as what is left of those of the larger one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from trimtab.channels import ChannelGraph, find_groups, remove
from trimtab.channels._remaining import remaining


def conv(filters: int, name: str, **options: Any) -> Any:
    return layers.Conv2D(filters, 1, name=name, **options)


def residual(x: Any) -> Any:
    x = layers.BatchNormalization(name="bn")(conv(6, "stem")(x))
    return ops.relu(x + conv(6, "outer")(ops.relu(conv(5, "inner")(x)))) * 2.0


def nested(x: Any) -> Any:
    inputs = keras.Input((4, 4, 6))
    inner = keras.Model(inputs, layers.ReLU()(conv(6, "conv")(inputs)), name="twice")
    return layers.Concatenate()([inner(inner(conv(6, "stem")(x))), conv(3, "side")(x)])


def flipped(x: Any) -> Any:
    x = layers.GroupNormalization(2, name="norm")(conv(4, "stem")(x))
    return conv(8, "grouped", groups=2)(x)


def built(body: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((4, 4, 3))
    x = layers.GlobalAveragePooling2D()(body(inputs))
    return keras.Model(inputs, layers.Dense(2, name="logits")(x))


def told(graph: ChannelGraph) -> list[Any]:
    return [
        (
            (group.name, group.size, group.locked, group.exact, group.layers),
            [(m.layer, m.weight, m.axis, m.role, m.units.tolist()) for m in group.members],
        )
        for group in graph.groups
    ]


def halved(graph: ChannelGraph) -> dict[str, np.ndarray]:
    free = [group for group in graph.groups if group.locked is None]
    return {group.name: np.arange(0, group.size, 2) for group in free}


@pytest.mark.parametrize("body", [residual, nested])
def test_what_is_left_is_what_would_be_found(body: Callable[[Any], Any]) -> None:
    graph = find_groups(built(body))
    keep = halved(graph)
    smaller = remove(graph, keep)
    left, found = remaining(graph, keep, smaller), find_groups(smaller)
    assert told(left) == told(found)
    assert left.model is smaller
    own = {id(weight) for weight in smaller.weights}
    assert all(id(axis.variable) in own for axis in left.axes)
    assert [axis.units.tolist() for axis in left.axes] == [axis.units.tolist() for axis in found.axes]
    for mine, its in zip(left.calls, found.calls, strict=True):
        assert (mine.path, mine.operation) == (its.path, its.operation)
        for one, other in zip(mine.inputs + mine.outputs, its.inputs + its.outputs, strict=True):
            assert one.shape == other.shape
            assert {axis: ids.tolist() for axis, ids in one.ids.items()} == {
                axis: ids.tolist() for axis, ids in other.ids.items()
            }
    counts = dict.fromkeys(keep, 1)
    assert (left.parameters(counts), left.macs(counts)) == (found.parameters(counts), found.macs(counts))


def test_groups_stay_what_they_were_where_others_would_be_found() -> None:
    graph = find_groups(built(flipped))
    keep = {"stem": [1], "grouped": [0, 2, 3]}
    smaller = remove(graph, keep)
    left = remaining(graph, keep, smaller)
    # One channel in each group of the convolution: what comes out is tied to what goes in, if followed anew.
    assert [group.name for group in find_groups(smaller).groups] != [group.name for group in graph.groups]
    assert [(group.name, group.size) for group in left.groups] == [("stem", 1), ("grouped", 3), ("logits", 2)]
    last = remove(left, {"grouped": [0, 2]})
    kernel, whole = last.get_layer("grouped").kernel, graph.model.get_layer("grouped").kernel
    np.testing.assert_array_equal(kernel, np.asarray(whole)[:, :, [1]][..., [0, 3, 4, 7]])
    images = np.ones((1, 4, 4, 3), "float32")
    assert last(images).shape == (1, 2)
