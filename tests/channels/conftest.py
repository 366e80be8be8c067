"""Small graphs whose channels are followed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers

from trimtab.channels import ChannelGraph, ChannelGroup, find_groups


def _graph_of(body: Callable[[Any], Any], shape: tuple[int, ...] = (8, 8, 4)) -> ChannelGraph:
    inputs = keras.Input(shape)
    first = layers.Conv2D(6, 1, name="first") if len(shape) == 3 else layers.Dense(6, name="first")
    x = body(first(inputs))
    last = layers.Conv2D(2, 1, name="last") if len(x.shape) == 4 else layers.Dense(2, name="last")
    return find_groups(keras.Model(inputs, last(x)))


@pytest.fixture
def graph_of() -> Callable[..., ChannelGraph]:
    """The channels of a layer "first" of 6, of what is looked at, and of a layer "last"."""
    return _graph_of


@pytest.fixture
def first_of() -> Callable[..., ChannelGroup]:
    """The group that the 6 channels in front of what is looked at belong to."""
    return lambda *given: _graph_of(*given).group("first")


@pytest.fixture
def units() -> Callable[..., list[int]]:
    """The units along the only axis of a weight that belongs to a group."""

    def found(group: ChannelGroup, layer: str, weight: str = "kernel", axis: int | None = None) -> list[int]:
        members = [
            m for m in group.members if (m.layer, m.weight) == (layer, weight) and axis in (None, m.axis)
        ]
        assert len(members) == 1
        return [int(unit) for unit in members[0].units]

    return found
