"""Which numbers of units may stay."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.channels import ChannelGroup, Member, find_groups
from trimtab.channels._rounding import allowed_counts, channels_made, channels_per_unit


def group(name, size, width=1):
    """A group of units of `width` channels each, made by one kernel of ones."""
    units = np.repeat(np.arange(size), width)
    kernel = Member(name, np.ones((3, size * width), np.float32), "kernel", 1, units, "out")
    return ChannelGroup(name, size, (kernel,), None, True, (name,))


@pytest.mark.parametrize(
    ("size", "width", "round_to", "least", "max_ratio", "allowed"),
    [
        (32, 1, 8, 8, 0.9, (32, 24, 16, 8)),
        (32, 1, 8, 12, 0.9, (32, 24, 16)),  # the floor is rounded up
        (32, 1, 8, 1, 0.5, (32, 24, 16)),
        (12, 1, 8, 1, 0.9, (12, 8)),  # all may stay, though 12 is no multiple
        (10, 1, 1, 1, 0.9, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)),
        (8, 1, 8, 8, 0.9, (8,)),
        (6, 1, 8, 1, 0.9, (6, 4, 2)),  # fewer than the multiple: powers of two
        (3, 1, 8, 1, 0.9, (3, 2, 1)),
        (1, 1, 8, 1, 0.9, (1,)),
        (4, 16, 8, 8, 0.9, (4, 3, 2, 1)),  # heads of 16 channels are multiples of 8 by themselves
        (16, 4, 8, 8, 0.9, (16, 14, 12, 10, 8, 6, 4, 2)),
        (16, 3, 8, 8, 0.9, (16, 8)),
        (4, 1, 8, 8, 0.9, (4,)),  # at least 8, or all where there are fewer
    ],
)
def test_allowed_counts(size, width, round_to, least, max_ratio, allowed):
    assert allowed_counts(group("a", size, width=width), round_to, least, max_ratio) == allowed


@given(
    size=st.integers(1, 200),
    width=st.integers(1, 12),
    round_to=st.integers(1, 33),
    least=st.integers(1, 40),
    max_ratio=st.floats(0.01, 0.99),
)
@settings(deadline=None, max_examples=60)
def test_multiples_and_floors(size, width, round_to, least, max_ratio):
    allowed = allowed_counts(group("a", size, width=width), round_to, least, max_ratio)
    assert allowed[0] == size
    assert all(before > after for before, after in itertools.pairwise(allowed))
    assert allowed[-1] >= 1
    for count in allowed[1:]:
        assert count * width >= least
        assert count >= size * (1 - max_ratio) - 1e-6
        if size >= round_to // math.gcd(round_to, width):  # it has a multiple at all
            assert count * width % round_to == 0


def test_units_of_several_channels():
    assert channels_per_unit(group("a", 6)) == (1,)
    assert channels_per_unit(group("heads", 4, width=16)) == (16,)


@pytest.mark.parametrize(
    ("layer", "widths", "made", "allowed"),
    [
        (keras.layers.MultiHeadAttention(4, 16), (16,), 64, (4, 3, 2, 1)),
        (keras.layers.MultiHeadAttention(4, 4), (4,), 16, (4, 2)),
        (keras.layers.GroupQueryAttention(8, 4, 2), (8, 16), 16, (2, 1)),  # two query heads to each key
    ],
)
def test_heads_count_as_the_channels_they_have(layer, widths, made, allowed):
    inputs = keras.Input((5, 24))
    x = layer(inputs, inputs)
    graph = find_groups(keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x))))
    heads = graph.group(layer.name)
    assert channels_per_unit(heads) == widths
    assert channels_made(next(member for member in heads.members if member.role == "out")) == made
    assert allowed_counts(heads, 8, 8, 0.9) == allowed
