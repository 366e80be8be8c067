"""Operators between layers, followed like layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from trimtab.channels import ChannelGroup, find_groups

SHAPE = (4, 5, 3)


def first_of(body: Callable[[Any], Any]) -> ChannelGroup:
    inputs = keras.Input(SHAPE)
    x = body(layers.Conv2D(6, 1, name="first")(inputs))
    return find_groups(keras.Model(inputs, layers.Dense(2, name="last")(x))).group("first")


def other(x: Any) -> Any:
    return layers.Conv2D(6, 1, name="other")(x)


def last(group: ChannelGroup) -> list[int]:
    (member,) = [member for member in group.members if member.layer == "last"]
    return [int(unit) for unit in member.units]


@pytest.mark.parametrize(
    "body",
    [
        lambda x: ops.relu6(x + 3) * (x / 6),
        lambda x: 1 - ops.sigmoid(-x),
        lambda x: ops.clip(ops.square(x), 0.0, 6.0),
        lambda x: ops.where(x > 0, x, 0.1 * x),
        lambda x: ops.cast(ops.stop_gradient(x), "float32"),
        lambda x: ops.mean(x, axis=(1, 2)),
        lambda x: ops.max(x, axis=[1, 2], keepdims=True),
        lambda x: ops.expand_dims(ops.sum(x, axis=1), 1),
        lambda x: ops.squeeze(ops.mean(x, axis=1, keepdims=True), 1),
        lambda x: ops.transpose(ops.transpose(x), (3, 1, 2, 0)),
        lambda x: ops.swapaxes(ops.swapaxes(x, 1, -1), 1, 3),
        lambda x: ops.moveaxis(ops.moveaxis(x, -1, 1), 1, -1),
        lambda x: ops.reshape(x, (-1, 20, 6)),
        lambda x: x[:, ::2, 1:],
        lambda x: x[:, 0],
        lambda x: x[:, None, ..., 2, :],
        lambda x: ops.split(x, 2, axis=1)[0],
        lambda x: ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        lambda x: ops.max_pool(x, 2),
        lambda x: ops.image.resize(x, (8, 8)),
        lambda x: ops.softmax(x, axis=1),
        lambda x: x * np.ones((4, 5, 1), "float32"),
        lambda x: ops.broadcast_to(ops.mean(x, axis=1, keepdims=True), (1, 4, 5, 6)),
    ],
)
def test_channels_pass_through(body: Callable[[Any], Any]) -> None:
    group = first_of(body)
    assert (group.size, group.locked, group.exact) == (6, None, True)
    assert last(group) == list(range(6))


@pytest.mark.parametrize(
    "body",
    [
        lambda x: x + other(x),
        lambda x: ops.maximum(x, other(x)),
        lambda x: ops.where(other(x) > 0, x, 0.0),
        lambda x: x * ops.mean(other(x), axis=(1, 2), keepdims=True),
        lambda x: ops.stack([x, other(x)], axis=1),
        lambda x: ops.concatenate([x, other(x)], axis=1),
    ],
)
def test_what_meets_goes_together(body: Callable[[Any], Any]) -> None:
    group = first_of(body)
    assert group.layers == ("first", "other")
    assert (group.size, group.locked) == (6, None)


def test_concatenation() -> None:
    assert last(first_of(lambda x: ops.concatenate([x, x], axis=-1))) == [*range(6), *range(6)]


@pytest.mark.parametrize("turn", [lambda x: x[..., ::-1], lambda x: ops.flip(x, -1)])
def test_a_channel_that_meets_another_place_ties_both(turn: Callable[[Any], Any]) -> None:
    group = first_of(lambda x: x + turn(x))
    assert (group.size, group.locked) == (3, None)
    assert last(group) == [0, 1, 2, 2, 1, 0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda x: x + np.arange(6, dtype="float32"), "a constant"),
        (lambda x: ops.clip(x, 0.0, np.arange(6, dtype="float32")), "a constant"),
        (lambda x: ops.stack([x, np.ones((1, 4, 5, 6), "float32")], axis=1), "a constant"),
        (lambda x: ops.concatenate([x, np.ones((1, 4, 5, 6), "float32")], axis=1), "a constant"),
        (lambda x: layers.Add()([x, np.ones((1, 4, 5, 6), "float32")]), "a constant"),
        (lambda x: x[..., :4], "picks some of them by their place"),
        (lambda x: x[..., 2], "picks some of them by their place"),
        (lambda x: ops.split(x, 2, axis=-1)[0], "cuts them at a fixed place"),
        (lambda x: ops.one_hot(ops.argmax(x, axis=-1), 6), "counts them"),
        (lambda x: ops.roll(x, 1, axis=-1), "the operator Roll"),
        (lambda x: ops.matmul(ops.transpose(x, (0, 1, 3, 2)), x), "the operator Matmul"),
    ],
)
def test_what_depends_on_the_place_locks(body: Callable[[Any], Any], reason: str) -> None:
    assert reason in str(first_of(body).locked)


@pytest.mark.parametrize(
    "body",
    [
        lambda x: ops.softmax(x),
        lambda x: ops.mean(x, axis=-1, keepdims=True),
        lambda x: ops.max(x, axis=3),
        lambda x: ops.normalize(x, axis=-1),
    ],
)
def test_what_sees_how_many_there_are_is_not_exact(body: Callable[[Any], Any]) -> None:
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(6, 1, name="first")(inputs)
    x = layers.Dense(2, name="last")(layers.Flatten()(body(x)))
    group = find_groups(keras.Model(inputs, x)).group("first")
    assert (group.locked, group.exact) == (None, False)


def test_channels_padded_with_nothing_keep_what_is_added_to_nothing() -> None:
    def shortcut(x: Any) -> Any:  # He et al. 2015, option A
        wide = layers.Conv2D(10, 1, name="wide")(x)
        return wide + ops.pad(x, [[0, 0], [0, 0], [0, 0], [2, 2]])

    inputs = keras.Input(SHAPE)
    x = shortcut(layers.Conv2D(6, 1, name="first")(inputs))
    graph = find_groups(keras.Model(inputs, layers.Dense(2, name="last")(x)))
    assert graph.group("first").layers == ("first", "wide")
    assert graph.group("first").locked is None
    assert graph.group("wide").size == 4
    assert "meets an input, a constant" in str(graph.group("wide").locked)
