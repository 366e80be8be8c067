"""The VGG for small images."""

from __future__ import annotations

import keras
import pytest

from trimtab.errors import ConfigError
from trimtab.zoo import vgg


def test_depth_16_has_the_convolutions_of_the_published_network() -> None:
    """Less its biases, plus batch normalisation, with the usual head for small images."""
    published, channels = 14_714_688, 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512
    model = vgg((32, 32, 3), 10, depth=16)
    assert model.name == "vgg_16"
    assert model.count_params() == published - channels + 4 * channels + 512 * 10 + 10


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_depth_counts_the_layers_with_weights_of_the_published_network(depth: int) -> None:
    model = vgg((8, 8, 1), 10, depth=depth, width=1)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) + 3 == depth  # two hidden layers of which there are none here, and the logits


def test_pooling_stops_where_nothing_is_left() -> None:
    def pools(shape: tuple[int, int, int]) -> list[tuple[int, int]]:
        layers = vgg(shape, 2, width=1).layers
        return [layer.output.shape[1:3] for layer in layers if isinstance(layer, keras.layers.MaxPooling2D)]

    assert pools((32, 32, 3)) == [(16, 16), (8, 8), (4, 4), (2, 2)]
    assert pools((7, 8, 1)) == [(3, 4), (1, 2)]
    assert pools((1, 1, 1)) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 12}, "depth must be one of 11, 13, 16, 19. Received: depth=12"),
        ({"depth": "16"}, "depth must be one of"),
        ({"depth": 16.0}, "depth must be one of"),
        ({"width": 0}, "width must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"seed": None}, "seed must be"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        vgg((8, 8, 1), 10, **options)
