"""Where tensors meet, and what works on the pixels of each channel."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers

from trimtab.channels import find_groups

MAP = (8, 8, 4)


def conv(filters: int, name: str, size: int = 1, **options: Any) -> Any:
    return layers.Conv2D(filters, size, name=name, **options)


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaxPooling2D(),
        layers.AveragePooling2D(2),
        layers.GlobalMaxPooling2D(),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.ZeroPadding2D(1),
        layers.Cropping2D(1),
        layers.UpSampling2D(),
        layers.Resizing(4, 4),
    ],
)
def test_what_works_on_pixels(layer: Any, first_of: Any, units: Any) -> None:
    group = first_of(layer)
    assert (group.size, group.locked, group.exact) == (6, None, True)
    assert units(group, "last") == list(range(6))


def test_channels_that_are_slid_over_stay(graph_of: Any) -> None:
    graph = graph_of(lambda x: layers.MaxPooling2D()(layers.Permute((3, 1, 2))(x)))
    assert "works along them" in str(graph.group("first").locked)


@pytest.mark.parametrize(
    "kind",
    [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum],
)
def test_merging_ties(kind: Any, first_of: Any) -> None:
    assert first_of(lambda x: kind()([x, conv(6, "other")(x)])).layers == ("first", "other")


def test_a_factor_for_each_channel_goes_with_the_channels(first_of: Any) -> None:
    def body(x: Any) -> Any:
        return layers.Multiply()([x, conv(6, "gate")(layers.GlobalAveragePooling2D(keepdims=True)(x))])

    assert first_of(body).layers == ("first", "gate")


def test_a_factor_for_each_pixel_goes_with_none(graph_of: Any) -> None:
    graph = graph_of(lambda x: layers.Multiply()([x, conv(1, "gate")(x)]))
    assert graph.group("first").layers == ("first",)
    assert graph.group("gate").size == 1


def test_merging_tensors_of_other_ranks_matches_from_the_back(first_of: Any) -> None:
    def body(x: Any) -> Any:
        vector = layers.Dense(6, name="vector")(layers.GlobalAveragePooling2D()(x))
        return layers.Add()([x, vector])

    assert first_of(body).layers == ("first", "vector")


def test_concatenation_sets_channels_side_by_side(graph_of: Any, units: Any) -> None:
    graph = graph_of(lambda x: layers.Concatenate()([x, conv(3, "other")(x), x]))
    assert units(graph.group("first"), "last") == [*range(6), -1, -1, -1, *range(6)]
    assert units(graph.group("other"), "last") == [-1] * 6 + [0, 1, 2] + [-1] * 6


def test_concatenation_along_another_axis_ties(first_of: Any) -> None:
    group = first_of(lambda x: layers.Concatenate(axis=1)([x, conv(6, "other")(x)]))
    assert group.layers == ("first", "other")


def test_concatenation_with_the_image(units: Any) -> None:
    inputs = keras.Input(MAP)
    x = layers.Concatenate()([inputs, conv(6, "first")(inputs)])
    graph = find_groups(keras.Model(inputs, conv(2, "last")(x)))
    assert graph.group("first").locked is None
    assert units(graph.group("first"), "last") == [-1] * 4 + list(range(6))


def test_an_axis_of_open_size_is_locked() -> None:
    inputs = [keras.Input((4, 4, 3)), keras.Input((4, 4, None))]
    x = layers.Add(name="sum")([conv(6, "first")(inputs[0]), inputs[1]])
    x = layers.GlobalAveragePooling2D()(x)
    graph = find_groups(keras.Model(inputs, x))
    assert graph.group("first").locked == "'sum' joins them with an axis of open size"
