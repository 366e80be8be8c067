"""Shapes, followed place by place."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.channels import find_groups

MAP = (8, 8, 4)


def conv(filters: int, name: str, size: int = 1, **options: Any) -> Any:
    return layers.Conv2D(filters, size, name=name, **options)


def test_squeeze_excite_through_a_reshape(first_of: Any) -> None:
    def body(x: Any) -> Any:
        gate = layers.Reshape((1, 1, 6), name="shape")(layers.GlobalAveragePooling2D()(x))
        return layers.Multiply()([x, conv(6, "gate")(conv(2, "squeeze")(gate))])

    assert first_of(body).layers == ("first", "gate")


@pytest.mark.parametrize("shape", [(64, 6), (-1, 6), (8, 48), (4, 2, 48), (384,), (8, 8, 6, 1), (8, 8, 1, 6)])
def test_a_reshape_is_followed_place_by_place(shape: tuple[int, ...], units: Any) -> None:
    inputs = keras.Input(MAP)
    mark = conv(6, "first", kernel_initializer="zeros")
    x = layers.Reshape(shape)(mark(inputs))
    x = layers.Flatten()(x)
    mark.bias.assign(range(6))
    seen = keras.ops.convert_to_numpy(keras.Model(inputs, x)(np.zeros((1, *MAP), "float32")))[0]
    group = find_groups(keras.Model(inputs, layers.Dense(2, name="last")(x))).group("first")
    assert (group.size, group.locked) == (6, None)
    assert units(group, "last") == [int(number) for number in seen]


def test_channels_that_become_two_axes_are_tied_along_the_shorter(first_of: Any, units: Any) -> None:
    def shuffle(x: Any) -> Any:  # ShuffleNet's
        x = layers.Permute((1, 2, 4, 3))(layers.Reshape((8, 8, 2, 3))(x))
        return layers.Reshape((8, 8, 6))(x)

    group = first_of(shuffle)
    assert group.size == 3
    assert units(group, "first", axis=3) == [0, 1, 2, 0, 1, 2]
    assert units(group, "last") == [0, 0, 1, 1, 2, 2]


def test_a_shared_reshape_keeps_both_calls_equally_large(first_of: Any) -> None:
    def body(x: Any) -> Any:
        shape = layers.Reshape((1, 1, 6))
        pool = layers.GlobalAveragePooling2D
        return layers.Concatenate()([shape(pool()(x)), shape(pool()(conv(6, "other")(x)))])

    assert first_of(body).layers == ("first", "other")


def test_a_reshape_that_is_also_called_on_what_stays_locks() -> None:
    def body(x: Any) -> Any:
        shape = layers.Reshape((1, 1, 6), name="shape")
        image = layers.Lambda(lambda y: y[:, 0, 0], name="code")(x)  # gives 6 numbers that always stay
        return layers.Concatenate()(
            [shape(layers.GlobalAveragePooling2D()(conv(6, "other")(x))), shape(image)]
        )

    inputs = keras.Input((8, 8, 4))
    x = body(conv(6, "first")(inputs))
    group = find_groups(keras.Model(inputs, conv(2, "last")(x))).group("other")
    assert group.locked == "'shape' is called again on numbers that always stay"


def test_two_axes_of_channels_in_one_are_locked() -> None:
    inputs = keras.Input((4, 3))
    x = layers.Dense(5, name="one")(inputs)
    x = layers.Dense(6, name="two")(layers.Permute((2, 1))(x))
    x = layers.Dense(2, name="last")(layers.Flatten()(x))
    graph = find_groups(keras.Model(inputs, x))
    assert "mixes them with another axis" in str(graph.group("one").locked)
    assert "mixes them with another axis" in str(graph.group("two").locked)


def test_an_open_image_size() -> None:
    inputs = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D()(conv(5, "second", 3)(conv(6, "first", 3)(inputs)))
    graph = find_groups(keras.Model(inputs, layers.Dense(2, name="last")(x)))
    assert [group.locked is None for group in graph.groups] == [True, True, False]


def test_a_vector_repeated(units: Any) -> None:
    inputs = keras.Input((4,))
    x = layers.RepeatVector(3)(layers.Dense(6, name="first")(inputs))
    graph = find_groups(keras.Model(inputs, layers.Dense(2, name="last")(x)))
    assert units(graph.group("first"), "last") == list(range(6))
