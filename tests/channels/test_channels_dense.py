"""Products with a kernel: dense layers, einsums, embeddings, attention."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.channels import find_groups

SERIES = (6, 4)


def conv(filters: int, name: str, size: int = 1, **options: Any) -> Any:
    return layers.Conv2D(filters, size, name=name, **options)


def test_flattening_repeats_each_channel_for_every_pixel(units: Any) -> None:
    inputs = keras.Input((2, 3, 4))
    x = layers.Dense(2, name="last")(layers.Flatten()(conv(5, "first")(inputs)))
    assert units(find_groups(keras.Model(inputs, x)).group("first"), "last") == list(range(5)) * 6


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_flattening_agrees_with_what_keras_computes(data_format: str, units: Any) -> None:
    shape = (3, 2, 2) if data_format == "channels_first" else (2, 2, 3)
    inputs = keras.Input(shape)
    mark = conv(4, "first", data_format=data_format, use_bias=True, kernel_initializer="zeros")
    flat = layers.Flatten(data_format=data_format)(mark(inputs))
    mark.bias.assign(range(4))
    seen = keras.ops.convert_to_numpy(keras.Model(inputs, flat)(np.zeros((1, *shape), "float32")))[0]
    graph = find_groups(keras.Model(inputs, layers.Dense(2, name="last")(flat)))
    assert units(graph.group("first"), "last") == [int(number) for number in seen]


def test_a_dense_layer_works_along_the_last_axis(units: Any) -> None:
    inputs = keras.Input((5, 4))
    x = layers.Dense(6, name="first")(inputs)
    x = layers.Dense(7, name="mixed")(layers.Permute((2, 1))(x))  # over the 5 places, for each channel
    x = layers.Dense(2, name="last")(layers.Permute((2, 1))(x))
    graph = find_groups(keras.Model(inputs, x))
    assert units(graph.group("first"), "last") == list(range(6))
    assert graph.group("mixed").locked is not None
    assert graph.group("first").locked is None


@pytest.mark.parametrize(
    ("equation", "shape", "bias"),
    [("btc,cd->btd", (None, 5), "d"), ("...c,cd->...d", 5, "d"), ("btc,cd->btd", (None, 5), None)],
)
def test_an_einsum_is_followed_by_its_letters(
    equation: str, shape: Any, bias: str | None, graph_of: Any, units: Any
) -> None:
    graph = graph_of(lambda x: layers.EinsumDense(equation, shape, bias_axes=bias, name="ein")(x), SERIES)
    assert units(graph.group("first"), "ein") == list(range(6))
    assert graph.group("ein").size == 5
    assert ("bias" in [member.weight for member in graph.group("ein").members]) == (bias is not None)


def test_an_einsum_with_a_factor_for_each_channel(first_of: Any) -> None:
    group = first_of(lambda x: layers.EinsumDense("btc,c->btc", (None, 6), name="ein")(x), SERIES)
    assert [member.role for member in group.members if member.layer == "ein"] == ["scale"]


def test_an_einsum_with_two_new_axes() -> None:
    inputs = keras.Input(SERIES)
    heads = layers.EinsumDense("btc,chd->bthd", (None, 3, 5), bias_axes="hd", name="split")(inputs)
    joined = layers.EinsumDense("bthd,hdc->btc", (None, 4), name="join")(heads)
    graph = find_groups(keras.Model(inputs, layers.Dense(2, name="last")(joined)))
    assert {group.name: group.size for group in graph.groups if group.locked is None} == {
        "split": 3,
        "split#2": 5,
        "join": 4,
    }


def test_an_embedding_makes_channels() -> None:
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Dense(2, name="last")(layers.Embedding(9, 6, name="table")(inputs))
    assert find_groups(keras.Model(inputs, x)).group("table").size == 6


def test_heads_are_units(graph_of: Any, units: Any) -> None:
    graph = graph_of(lambda x: layers.MultiHeadAttention(3, 2, name="mha")(x, x), SERIES)
    heads = graph.group("mha")
    assert heads.size == 3
    assert {member.weight for member in heads.members} == {
        "query/kernel",
        "query/bias",
        "key/kernel",
        "key/bias",
        "value/kernel",
        "value/bias",
        "attention_output/kernel",
    }
    assert units(heads, "mha", "attention_output/kernel") == [0, 1, 2]
    assert heads.exact
    assert graph.group("first").layers == ("first", "mha")  # as many come out as went in


def test_attention_over_something_else() -> None:
    inputs = [keras.Input(SERIES), keras.Input(SERIES)]
    query, value = layers.Dense(6, name="ask")(inputs[0]), layers.Dense(5, name="tell")(inputs[1])
    x = layers.MultiHeadAttention(3, 2, value_dim=4, output_shape=7, name="mha")(query=query, value=value)
    graph = find_groups(keras.Model(inputs, layers.Dense(2, name="last")(x)))
    assert {group.name: group.size for group in graph.groups if not group.locked} == {
        "ask": 6,
        "tell": 5,
        "mha": 3,
        "mha#2": 7,
    }
    assert [member.weight for member in graph.group("tell").members if member.layer == "mha"] == [
        "key/kernel",
        "value/kernel",
    ]


def test_query_heads_go_with_the_head_that_they_share(graph_of: Any, units: Any) -> None:
    graph = graph_of(lambda x: layers.GroupQueryAttention(2, 4, 2, name="gqa")(x, x), SERIES)
    assert graph.group("gqa").size == 2
    assert units(graph.group("gqa"), "gqa", "query/kernel") == [0, 0, 1, 1]


def test_attention_scores_that_are_used_lock_the_heads() -> None:
    inputs = keras.Input(SERIES)
    x, scores = layers.MultiHeadAttention(3, 2, name="mha")(inputs, inputs, return_attention_scores=True)
    model = keras.Model(inputs, [layers.Dense(2, name="last")(x), scores])
    assert "attention scores" in str(find_groups(model).group("mha").locked)
