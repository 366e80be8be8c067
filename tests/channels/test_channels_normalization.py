"""Normalisation, and layers that treat each number alone."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers

from trimtab.channels import find_groups


def conv(filters: int, name: str, size: int = 1, **options: Any) -> Any:
    return layers.Conv2D(filters, size, name=name, **options)


@pytest.mark.parametrize(
    ("layer", "exact"),
    [
        (layers.BatchNormalization(), True),
        (layers.LayerNormalization(), False),
        (layers.LayerNormalization(axis=(1, 2)), True),
        (layers.LayerNormalization(axis=(1, 2, 3)), False),
        (layers.RMSNormalization(), False),
        (layers.UnitNormalization(), False),
        (layers.GroupNormalization(6), True),
        (layers.GroupNormalization(-1), True),
        (layers.GroupNormalization(1), False),
        (layers.Softmax(), False),
        (layers.Softmax(axis=1), True),
        (layers.Activation("softmax"), False),
        (layers.Activation("hard_swish"), True),
        (layers.PReLU(), True),
        (layers.PReLU(shared_axes=(1, 2)), True),
        (layers.LeakyReLU(), True),
        (layers.Dropout(0.5), True),
        (layers.Dropout(0.5, noise_shape=(None, 8, 8, 1)), True),
        (layers.SpatialDropout2D(0.5), True),
        (layers.GaussianNoise(0.5), True),
        (layers.Rescaling(2.0, 1.0), True),
    ],
)
def test_what_keeps_channels_where_they_are(layer: Any, exact: bool, first_of: Any, units: Any) -> None:
    group = first_of(layer)
    assert (group.size, group.locked, group.exact) == (6, None, exact)
    for weight in layer.weights:
        if 6 in weight.shape:
            assert units(group, layer.name, weight.name) == list(range(6))


def test_group_normalisation_ties_its_groups(first_of: Any, units: Any) -> None:
    group = first_of(layers.GroupNormalization(2, name="norm"))
    assert group.size == 3
    assert units(group, "norm", "gamma") == [0, 1, 2, 0, 1, 2]
    assert not group.exact


def test_a_shared_layer_whose_config_counts_channels_ties_both_calls(first_of: Any) -> None:
    def body(x: Any) -> Any:
        norm = layers.GroupNormalization(6, center=False, scale=False)
        return layers.Concatenate()([norm(x), norm(conv(6, "other")(x))])

    assert first_of(body).layers == ("first", "other")


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (layers.Rescaling([1.0, 2, 3, 4, 5, 6], name="fixed"), "has a fixed number for each"),
        (
            layers.Normalization(mean=[0.0] * 6, variance=[1.0] * 6, name="fixed"),
            "has a fixed number for each",
        ),
        (
            layers.Activation(lambda x: keras.ops.flip(x, -1), name="turned"),
            "does not treat each channel alone",
        ),
        (layers.Dropout(0.5, noise_shape=(None, 1, 1, 6), name="noise"), "the noise of 'noise'"),
        (layers.SpectralNormalization(conv(4, "inner"), name="spectral"), "is not understood"),
    ],
)
def test_what_locks(layer: Any, reason: str, first_of: Any) -> None:
    assert reason in str(first_of(layer).locked)


def test_an_activation_of_ones_own_that_treats_each_channel_alone_is_followed(
    first_of: Any, graph_of: Any
) -> None:
    assert (
        first_of(lambda x: conv(5, "own", activation=lambda x: x * keras.ops.sigmoid(2 * x))(x)).locked
        is None
    )
    graph = graph_of(
        lambda x: conv(5, "own", activation=lambda x: x / keras.ops.sum(x, -1, keepdims=True))(x)
    )
    assert "of 'own' does not treat each channel alone" in str(graph.group("own").locked)


def test_layer_scale_and_stochastic_depth_of_convnext(first_of: Any, units: Any) -> None:
    from trimtab import _keras_internals

    kinds = _keras_internals.application_layers()
    scale = kinds["LayerScale"](1e-6, 6, name="scale")
    group = first_of(lambda x: layers.Add()([x, kinds["StochasticDepth"](0.1)(scale(x))]))
    assert units(group, "scale", "gamma") == list(range(6))


def test_a_quantized_layer_is_locked() -> None:
    inputs = keras.Input((4,))
    second = layers.Dense(5, name="second")
    model = keras.Model(inputs, layers.Dense(2, name="last")(second(layers.Dense(6, name="first")(inputs))))
    second.quantize("int8")
    assert find_groups(model).group("first").locked == "Dense 'second' is quantized"
