"""Multiply-accumulates, against published numbers and formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab import _keras_internals
from trimtab.errors import ModelError
from trimtab.models import LayerCost, layer_macs, macs, macs_per_layer
from trimtab.zoo import resnet


def of(shape: tuple[int | None, ...], *layers: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers])


def test_resnet_8_costs_what_mlperf_tiny_says() -> None:
    assert macs(resnet((32, 32, 3), 10)) == 12_501_632  # published: 12.5 million


def test_mobilenet_v2_costs_what_its_paper_says() -> None:
    count = macs(keras.applications.MobileNetV2(weights=None))
    assert count is not None
    assert 300e6 <= count <= 301e6  # published: 300 million


@settings(deadline=None, max_examples=15)
@given(
    size=st.integers(3, 9),
    channels=st.integers(1, 3),
    groups=st.integers(1, 2),
    filters=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.sampled_from(["same", "valid"]),
)
def test_a_convolution_costs_places_times_window_times_filters(
    size: int, channels: int, groups: int, filters: int, kernel: int, stride: int, padding: str
) -> None:
    layer = keras.layers.Conv2D(
        filters * groups, kernel, strides=stride, padding=padding, groups=groups, use_bias=False
    )
    side = -(-size // stride) if padding == "same" else (size - kernel) // stride + 1
    expected = side * side * kernel * kernel * channels * filters * groups
    assert macs(of((size, size, channels * groups), layer)) == expected


@pytest.mark.parametrize(
    ("shape", "layer", "expected"),
    [
        ((8, 8, 4), keras.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), 64 * 9 * 8),
        ((8, 8, 4), keras.layers.SeparableConv2D(5, 3, padding="same"), 64 * 4 * (9 + 5)),
        ((4, 4, 2), keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same"), 16 * 9 * 2 * 3),
        ((8, 2), keras.layers.Conv1D(3, 3, padding="same"), 8 * 3 * 2 * 3),
        ((8, 2), keras.layers.DepthwiseConv1D(3, padding="same"), 8 * 3 * 2),
        ((8, 2), keras.layers.SeparableConv1D(5, 3, padding="same"), 8 * 2 * (3 + 5)),
        ((4, 4, 4, 2), keras.layers.Conv3D(3, 2, padding="same"), 64 * 8 * 2 * 3),
        ((6,), keras.layers.Dense(5), 30),
        ((4, 6), keras.layers.Dense(5), 4 * 30),
        ((2, 8, 8), keras.layers.Conv2D(3, 1, data_format="channels_first"), 64 * 2 * 3),
        ((8, 8, 4), keras.layers.BatchNormalization(), 0),
        ((8, 8, 4), keras.layers.PReLU(), 0),
        ((8, 8, 4), keras.layers.MaxPooling2D(), 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.layers.Layer) else None,
)
def test_each_kind_of_layer(shape: tuple[int, ...], layer: keras.layers.Layer, expected: int) -> None:
    if getattr(layer, "data_format", None) == "channels_first":
        layer.build((None, *shape))
        assert layer_macs(layer, (1, *shape), (1, 3, 8, 8)) == expected
    else:
        assert macs(of(shape, layer)) == expected


def test_a_subclass_counts_like_its_parent() -> None:
    class Mine(keras.layers.Dense):
        pass

    assert macs(of((6,), Mine(5))) == 30


def test_a_shared_layer_counts_in_each_call_but_its_parameters_once() -> None:
    inputs = keras.Input((4,))
    shared = keras.layers.Dense(4, name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))
    assert macs(model) == 32
    assert [(cost.name, cost.parameters, cost.macs) for cost in macs_per_layer(model)] == [
        ("shared", 20, 16),
        ("shared", 0, 16),
    ]


def test_nested_models_are_followed_at_the_size_they_are_called_with() -> None:
    base = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.Conv2D(2, 3, padding="same", name="conv")], name="base"
    )
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(base(inputs)))
    costs = macs_per_layer(model)
    assert costs[0] == LayerCost("base/conv", "Conv2D", (8, 8, 2), 20, 64 * 9 * 2)
    assert macs(model) == 64 * 9 * 2


def test_an_open_image_size_is_unknown_until_it_is_given() -> None:
    model = of((None, None, 1), keras.layers.Conv2D(2, 3, padding="same", name="conv"))
    assert macs(model) is None
    assert macs_per_layer(model)[0].reason == "its input leaves the image size open"
    assert macs(model, (8, 8, 1)) == 64 * 9 * 2


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="takes images of shape"):
        macs(of((8, 8, 1), keras.layers.Conv2D(2, 3)), (8, 8, 3))


def test_a_layer_without_a_rule_is_named() -> None:
    class Scaling(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],))

        def call(self, inputs):
            return inputs * self.scale

    model = of((6,), Scaling(name="mine"), keras.layers.Dense(5))
    assert macs(model) is None
    assert [(cost.name, cost.reason) for cost in macs_per_layer(model) if cost.macs is None] == [
        ("mine", "no rule for Scaling")
    ]
    layer_macs.register(Scaling, lambda layer, inputs, outputs: int(np.prod(outputs[1:])))
    assert macs(model) == 6 + 30


def test_scales_of_each_channel_cost_nothing() -> None:
    scale = _keras_internals.application_layers()["LayerScale"](1e-6, 6)
    assert macs(of((6,), keras.layers.RMSNormalization(), scale, keras.layers.Dense(5))) == 30


def test_a_product_of_tensors_is_not_counted_as_nothing() -> None:
    inputs = keras.Input((4, 4))
    assert macs(keras.Model(inputs, keras.ops.matmul(inputs, inputs))) is None
    assert macs(keras.Model(inputs, inputs + inputs)) == 0


def test_a_class_with_its_own_call_is_unknown_with_a_reason() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.end = keras.layers.Dense(3, name="end")

        def call(self, inputs):
            return self.end(inputs)

    model = Own()
    model(np.zeros((1, 4), np.float32))
    assert macs(model) is None
    assert "own call method" in macs_per_layer(model)[0].reason
