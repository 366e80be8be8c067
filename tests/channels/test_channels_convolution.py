"""Convolutions: in groups, depthwise, separable, transposed, channels first."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.channels import find_groups


def conv(filters: int, name: str, size: int = 1, **options: Any) -> Any:
    return layers.Conv2D(filters, size, name=name, **options)


def test_groups_of_a_convolution_stay_equally_large(graph_of: Any, units: Any) -> None:
    graph = graph_of(lambda x: conv(8, "grouped", 3, groups=2)(x))
    assert graph.group("first").size == 3
    assert units(graph.group("first"), "first", axis=3) == [0, 1, 2, 0, 1, 2]
    assert units(graph.group("first"), "grouped") == [0, 1, 2]
    assert graph.group("grouped").size == 4
    assert units(graph.group("grouped"), "last") == [0, 1, 2, 3, 0, 1, 2, 3]


def test_a_group_for_each_channel_is_a_depthwise_convolution(first_of: Any, units: Any) -> None:
    group = first_of(lambda x: conv(12, "grouped", 3, groups=6)(x))
    assert group.size == 6
    assert group.layers == ("first", "grouped")
    assert units(group, "grouped") == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert units(group, "last") == units(group, "grouped")


@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_copies_go_with_their_channel(multiplier: int, first_of: Any, units: Any) -> None:
    group = first_of(lambda x: layers.DepthwiseConv2D(3, depth_multiplier=multiplier, name="dw")(x))
    assert units(group, "dw") == list(range(6))
    assert units(group, "dw", "bias") == list(np.repeat(range(6), multiplier))
    assert units(group, "last") == list(np.repeat(range(6), multiplier))


def test_a_separable_convolution_makes_channels(graph_of: Any, units: Any) -> None:
    graph = graph_of(lambda x: layers.SeparableConv2D(5, 3, depth_multiplier=2, name="sep")(x))
    assert units(graph.group("first"), "sep", "depthwise_kernel") == list(range(6))
    assert units(graph.group("first"), "sep", "pointwise_kernel") == list(np.repeat(range(6), 2))
    assert graph.group("sep").size == 5


def test_a_transposed_convolution_has_its_filters_before_its_inputs(graph_of: Any, units: Any) -> None:
    graph = graph_of(lambda x: layers.Conv2DTranspose(5, 3, name="up")(x))
    assert units(graph.group("first"), "up", axis=3) == list(range(6))
    assert units(graph.group("up"), "up", axis=2) == list(range(5))


def test_channels_first() -> None:
    options = {"data_format": "channels_first"}
    inputs = keras.Input((3, 8, 8))
    x = layers.BatchNormalization(axis=1, name="bn")(conv(6, "first", **options)(inputs))
    x = layers.DepthwiseConv2D(3, name="dw", **options)(layers.ZeroPadding2D(1, **options)(x))
    x = layers.GlobalAveragePooling2D(keepdims=True, **options)(layers.MaxPooling2D(**options)(x))
    x = layers.Dense(2, name="last")(layers.Flatten()(conv(4, "next", **options)(x)))
    graph = find_groups(keras.Model(inputs, x))
    assert graph.group("first").layers == ("first", "bn", "dw")
    assert [group.name for group in graph.groups if group.locked] == ["last"]
