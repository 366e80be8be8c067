"""What the groups of a model are, and what fewer channels would save."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from trimtab import channels, models, zoo
from trimtab.channel_pruning import explain
from trimtab.errors import ConfigError


def test_a_residual_network_is_explained():
    model = zoo.resnet((16, 16, 3), 10, depth=8)
    explained = explain(model)
    graph = channels.find_groups(model)
    assert [group.name for group in explained.groups] == [group.name for group in graph.groups]
    assert (explained.parameters, explained.macs) == (models.parameters(model), models.macs(model))
    assert explained.prunable == sum(group.size for group in graph.groups if group.locked is None)
    for row in explained.groups:
        if row.locked is not None:
            assert row.half is None
            assert row.step is None
            continue
        halved = channels.remove(model, {row.name: np.arange(row.units // 2)})
        assert row.half.units == row.units // 2
        assert row.half.parameters == models.parameters(model) - models.parameters(halved)
        assert row.half.macs == models.macs(model) - models.macs(halved)
        assert row.step.units == row.units - 8
        assert 0 < row.step.parameters <= row.half.parameters
    stem = next(row for row in explained.groups if "stem" in row.layers)
    assert "stage_1_block_1_conv_2" in stem.layers  # the addition ties them
    assert "stage_1_block_1_conv_1" in stem.takers
    text = str(explained)
    assert "Parameters, 8 fewer" in text
    assert all(row.name in text for row in explained.groups)
    json.dumps(explained.to_data())


def test_locked_groups_say_why():
    model = zoo.resnet((16, 16, 3), 10, depth=8)
    locked = [row for row in explain(model).groups if row.locked is not None]
    assert all(row.locked in str(explain(model)) for row in locked)


def test_heads_of_attention_are_units_of_several_channels():
    inputs = keras.Input((4, 16))
    x = keras.layers.MultiHeadAttention(4, 8, name="heads")(inputs, inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    row = next(row for row in explain(model).groups if row.name == "heads")
    assert (row.units, row.channels, row.step.units) == (4, 32, 3)
    assert "32 (4 units)" in str(explain(model))


def test_what_halving_saves_in_the_file_and_in_time(digits):
    model = zoo.cnn(digits.image_shape, digits.classes, filters=(16,), dense=16)
    explained = explain(model, size=True)
    free = [row for row in explained.groups if row.locked is None]
    assert all(0 < row.half.size < explained.size for row in free)
    assert explained.latency is None
    assert "int8 bytes, if halved" in str(explained)
    assert "parity check" in explained.notes[0]


@pytest.mark.parametrize("step", [0, 2.5, True])
def test_steps_that_make_no_sense(step):
    with pytest.raises(ConfigError, match=r"round_to=.* must be a number of channels"):
        explain(None, round_to=step)
