"""Parameters and multiply-accumulates are known before anything is built."""

from __future__ import annotations

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from trimtab import models, zoo
from trimtab.channels import find_groups, remove
from trimtab.errors import ConfigError


@pytest.fixture(scope="module")
def model() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, strides=2, name="stem")(inputs)
    x = layers.SeparableConv2D(8, 3, padding="same", name="separable")(x)
    x = layers.Concatenate()([x, layers.Conv2D(4, 1, name="side")(x)])
    x = layers.Permute((3, 1, 2))(layers.Reshape((3, 3, 12))(x))
    x = layers.Dense(5, name="along_rows")(x)  # the channels are places here
    x = layers.Conv2D(4, 2, name="last")(layers.Permute((2, 3, 1))(x))
    return keras.Model(inputs, layers.Dense(2, name="logits")(layers.Flatten()(x)))


@settings(deadline=None, max_examples=6)
@given(share=st.lists(st.floats(0.01, 1), min_size=4, max_size=4))
def test_what_is_foretold_is_what_comes(model: keras.Model, share: list[float]) -> None:
    graph = find_groups(model)
    free = [group for group in graph.groups if group.locked is None]
    assert [group.name for group in free] == ["stem", "separable", "side", "last"]
    counts = {g.name: max(1, round(g.size * part)) for g, part in zip(free, share, strict=True)}
    smaller = remove(graph, {name: range(count) for name, count in counts.items()})
    assert graph.parameters(counts) == models.parameters(smaller)
    assert graph.macs(counts) == models.macs(smaller)
    shapes = sorted(tuple(weight.shape) for weight in smaller.weights)
    assert sorted(graph.sizes(counts).values()) == shapes


def test_nothing_removed_costs_what_the_model_costs() -> None:
    model = zoo.resnet((8, 8, 1), 3, width=4)
    graph = find_groups(model)
    assert graph.parameters({}) == models.parameters(model)
    assert graph.macs({}) == models.macs(model)
    assert graph.sizes({})["stem/kernel"] == (3, 3, 1, 4)


def test_an_unknown_cost_is_unknown() -> None:
    inputs = keras.Input((4, 6))
    model = keras.Model(inputs, layers.MultiHeadAttention(2, 3)(inputs, inputs))
    graph = find_groups(model)
    assert graph.macs({}) is None
    names = list(graph.sizes({}))
    assert len(names) == len(set(names)) == 8


@pytest.mark.parametrize(("counts", "words"), [({"stam": 1}, "'stem'"), ({"stem": 7}, "6 units")])
def test_counts_that_make_no_sense_are_refused(
    model: keras.Model, counts: dict[str, int], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        find_groups(model).parameters(counts)
