"""The blocks of the mobile networks."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab import litert
from trimtab.zoo._inverted_residual import SqueezeExcite, inverted_residual, make_divisible


@settings(deadline=None)
@given(st.floats(0.1, 5000))
def test_channels_are_rounded_to_8_and_not_far_down(channels: float) -> None:
    rounded = make_divisible(channels)
    assert rounded % 8 == 0
    assert rounded >= max(8, 0.9 * channels)
    assert rounded - channels < 8


@pytest.mark.parametrize(
    ("channels", "rounded"), [(1, 8), (11.2, 16), (12, 16), (32, 32), (44.8, 48), (67, 64)]
)
def test_known_roundings(channels: float, rounded: int) -> None:
    assert make_divisible(channels) == rounded


def block(channels: int = 8, stride: int = 1, **options: object) -> keras.Model:
    images = keras.Input((6, 6, 8))
    options = {"expanded": 16, "kernel": 3, "activation": "relu6", "seed": 0, **options}
    return keras.Model(
        images, inverted_residual(images, "block", channels=channels, stride=stride, **options)
    )


def test_the_shortcut_needs_equal_size_and_channels() -> None:
    def joined(model: keras.Model) -> bool:
        return any(isinstance(layer, keras.layers.Add) for layer in model.layers)

    assert joined(block())
    assert not joined(block(channels=16))
    assert not joined(block(stride=2))
    assert block(stride=2).output_shape == (None, 3, 3, 8)


def test_the_last_convolution_has_no_activation_and_an_expansion_to_as_many_none_at_all() -> None:
    names = [layer.name for layer in block(expanded=8).layers][1:]
    assert names == [
        "block_depthwise",
        "block_depthwise_bn",
        "block_depthwise_relu6",
        "block_project",
        "block_project_bn",
        "block_add",
    ]


@pytest.mark.parametrize("gate", ["sigmoid", "hard_sigmoid"])
def test_squeeze_and_excitation_weighs_each_channel_between_0_and_1(gate: str) -> None:
    model = block(squeeze=SqueezeExcite(4, "relu", gate))
    name = "block_squeeze"
    assert model.get_layer(f"{name}_reduce").filters == 4
    parts = [
        model.get_layer("block_depthwise_relu6").output,
        model.get_layer(f"{name}_expand_{gate}").output,
        model.get_layer(f"{name}_excite").output,
    ]
    images = 5 * np.random.default_rng(0).normal(size=(3, 6, 6, 8)).astype(np.float32)
    x, weight, product = (
        keras.ops.convert_to_numpy(part) for part in keras.Model(model.input, parts)(images)
    )
    assert weight.shape == (3, 1, 1, 16)
    assert (weight >= 0).all()
    assert (weight <= 1).all()
    assert weight.std() > 0
    assert np.allclose(product, x * weight, atol=1e-6)


def test_every_kind_of_block_converts_to_int8_whole() -> None:
    images = keras.Input((8, 8, 3))
    x = images
    options = {"expanded": 16, "channels": 8, "kernel": 3, "seed": 0}
    squeezes = {
        "relu6": None,
        "hard_swish": SqueezeExcite(4, "relu", "hard_sigmoid"),
        "swish": SqueezeExcite(4, "swish", "sigmoid"),
    }
    for activation, squeeze in squeezes.items():
        for stride in (1, 2):
            name = f"{activation}_{stride}"
            x = inverted_residual(x, name, activation=activation, squeeze=squeeze, stride=stride, **options)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(images, keras.layers.Dense(3, name="logits")(x))
    pictures = np.random.default_rng(0).random((32, 8, 8, 3), dtype=np.float32)
    content = litert.convert(model, "int8", pictures)
    summary = litert.inspect(content)
    assert summary.float_tensors == ()
    assert not {"QUANTIZE", "DEQUANTIZE", "CUSTOM"} & summary.ops.keys()


def test_a_depthwise_kernel_begins_with_the_spread_that_its_nine_inputs_need() -> None:
    kernel = block(expanded=4096).get_layer("block_depthwise").kernel
    assert keras.ops.convert_to_numpy(kernel).std() == pytest.approx(np.sqrt(2 / 9), rel=0.05)
