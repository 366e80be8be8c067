"""MobileNetV2."""

from __future__ import annotations

import keras
import pytest

from trimtab.errors import ConfigError
from trimtab.zoo import mobilenet_v2


def sizes(model: keras.Model) -> list[int]:
    """Height of what each convolution gives, without repetition."""
    heights = [
        layer.output.shape[1] for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)
    ]
    return sorted({model.get_layer("stem").output.shape[1], *heights}, reverse=True)


def test_it_is_the_published_network() -> None:
    model = mobilenet_v2((224, 224, 3), 1000)
    assert model.name == "mobilenet_v2"
    assert model.count_params() == 3_538_984
    assert sizes(model) == [112, 56, 28, 14, 7]


@pytest.mark.parametrize("alpha", [0.35, 1.3])
def test_alpha_is_that_of_keras_applications(alpha: float) -> None:
    theirs = keras.applications.MobileNetV2((96, 96, 3), alpha=alpha, weights=None, classes=10)
    assert mobilenet_v2((96, 96, 3), 10, alpha=alpha).count_params() == theirs.count_params()


def test_its_example_is_true_and_small_images_keep_their_size_for_longer() -> None:
    model = mobilenet_v2((32, 32, 3), 10, alpha=0.35)
    assert model.count_params() == 423_018
    assert sizes(model) == [32, 16, 8, 4]
    assert sizes(mobilenet_v2((32, 32, 3), 10, alpha=0.35, stem="imagenet")) == [16, 8, 4, 2, 1]
    assert sizes(mobilenet_v2((65, 80, 3), 10, alpha=0.1)) == [33, 17, 9, 5, 3]


def test_strides_are_padded_evenly() -> None:
    """XNNPACK's sparse kernels need it; Keras' own "same" pads even sizes on one side only."""
    model = mobilenet_v2((96, 96, 3), 10, alpha=0.1)
    strided = [layer for layer in model.layers if getattr(layer, "strides", (1, 1)) == (2, 2)]
    assert len(strided) == 5
    for layer in strided:
        assert layer.padding == "valid"
        assert model.get_layer(f"{layer.name}_pad").padding == ((1, 1), (1, 1))


def test_channels_are_multiples_of_8_and_names_readable() -> None:
    model = mobilenet_v2((96, 96, 3), 10, alpha=0.35)
    convolutions = [layer for layer in model.layers if type(layer) is keras.layers.Conv2D]
    assert all(layer.filters % 8 == 0 for layer in convolutions)
    assert [layer.name for layer in convolutions][:5] == [
        "stem",
        "stage_1_block_1_project",
        "stage_2_block_1_expand",
        "stage_2_block_1_project",
        "stage_2_block_2_expand",
    ]
    adds = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert len(adds) == 10
    assert adds[0] == "stage_2_block_2_add"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "alpha must be a number above 0"),
        ({"alpha": "1"}, "alpha must be a number above 0"),
        ({"alpha": True}, "alpha must be a number above 0"),
        ({"alpha": float("nan")}, "alpha must be a number above 0"),
        ({"stem": "smal"}, "stem must be one of 'auto', 'small', 'imagenet'.*Did you mean 'small'"),
        ({"stem": None}, "stem must be one of"),
        ({"stem": "imagenet"}, r"halves images 5 times.*32x32 pixels. Received: 8x8. Say stem='small'"),
        ({"dropout": 1}, "below 1"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        mobilenet_v2((8, 8, 1), 10, **options)


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"at least 8x8 pixels. Received: 7x32. Give larger images"):
        mobilenet_v2((7, 32, 3), 10)
    with pytest.raises(ConfigError, match="image_shape"):
        mobilenet_v2((8, 8), 10)
    with pytest.raises(ConfigError, match="at least two classes"):
        mobilenet_v2((8, 8, 1), 1)
