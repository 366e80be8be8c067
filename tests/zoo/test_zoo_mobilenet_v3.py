"""MobileNetV3."""

from __future__ import annotations

import keras
import pytest

from trimtab.errors import ConfigError
from trimtab.zoo import mobilenet_v3


@pytest.mark.parametrize(("variant", "alpha"), [("large", 0.75), ("small", 1.25)])
def test_it_has_the_parameters_of_keras_applications(variant: str, alpha: float) -> None:
    theirs = {"small": keras.applications.MobileNetV3Small, "large": keras.applications.MobileNetV3Large}
    model = theirs[variant]((96, 96, 3), alpha=alpha, weights=None, classes=10)
    ours = mobilenet_v3((96, 96, 3), 10, variant=variant, alpha=alpha)
    assert ours.count_params() == model.count_params()


def test_the_published_sizes() -> None:
    model = mobilenet_v3((224, 224, 3), 1000)
    assert model.name == "mobilenet_v3_small"
    assert model.count_params() == 2_554_968
    assert model.get_layer("head").output.shape == (None, 7, 7, 576)
    large = mobilenet_v3((224, 224, 3), 1000, variant="large")
    assert large.name == "mobilenet_v3_large"
    assert large.count_params() == 5_507_432


@pytest.mark.parametrize("variant", ["small", "large"])
def test_small_images_keep_their_size_for_longer(variant: str) -> None:
    model = mobilenet_v3((32, 32, 3), 10, variant=variant, alpha=0.25)
    assert model.get_layer("stem").output.shape[1:3] == (32, 32)
    assert model.get_layer("head").output.shape[1:3] == (4, 4)


def test_it_squeezes_where_the_paper_does() -> None:
    model = mobilenet_v3((8, 8, 1), 3, alpha=0.1)
    gated = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Multiply)]
    assert gated == [f"block_{number}_squeeze_excite" for number in (1, 4, 5, 6, 7, 8, 9, 10, 11)]
    assert model.get_layer("block_2_depthwise_relu").input is model.get_layer("block_2_depthwise_bn").output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "medium"}, "variant must be one of 'small', 'large'. Received: variant='medium'"),
        ({"variant": 1}, "variant must be one of"),
        ({"alpha": -1}, "alpha must be"),
        ({"stem": "large"}, "stem must be one of"),
        ({"dropout": None}, "dropout must be"),
        ({"seed": 1.5}, "seed must be"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        mobilenet_v3((8, 8, 1), 10, **options)
