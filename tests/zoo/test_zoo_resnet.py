"""Residual networks for small images."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError
from trimtab.zoo import resnet


def convolutions(model: keras.Model) -> int:
    """Convolutions on the longest path: all but the shortcuts."""
    return sum(
        isinstance(layer, keras.layers.Conv2D) and not layer.name.endswith("_shortcut")
        for layer in model.layers
    )


def test_depth_8_is_the_network_of_mlperf_tiny() -> None:
    model = resnet((32, 32, 3), 10)
    assert model.name == "resnet_8"
    assert model.count_params() == 78_426
    assert [model.get_layer(f"stage_{n}_block_1_relu_2").output.shape for n in (1, 2, 3)] == [
        (None, 32, 32, 16),
        (None, 16, 16, 32),
        (None, 8, 8, 64),
    ]


@pytest.mark.parametrize("depth", [8, 20])
def test_depth_counts_the_layers_with_weights(depth: int) -> None:
    assert convolutions(resnet((8, 8, 1), 10, depth=depth, width=2)) + 1 == depth


def test_it_works_on_small_images() -> None:
    model = resnet((8, 8, 1), 10, width=4, dropout=0.3)
    logits = keras.ops.convert_to_numpy(model(np.zeros((2, 8, 8, 1), np.float32)))
    assert logits.shape == (2, 10)
    assert logits.dtype == np.float32


def test_every_convolution_is_followed_by_batch_norm_but_the_shortcuts() -> None:
    model = resnet((8, 8, 1), 10, width=2)
    names = {layer.name for layer in model.layers}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert (f"{layer.name}_bn" in names) != layer.name.endswith("_shortcut")


def test_the_same_seed_gives_the_same_weights_and_no_global_state_is_touched() -> None:
    before = random.getstate()
    first, second = (resnet((8, 8, 1), 3, width=2, dropout=0.1, seed=4).get_weights() for _ in range(2))
    assert random.getstate() == before
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], resnet((8, 8, 1), 3, width=2, seed=5).get_weights()[0])


@pytest.mark.parametrize("depth", [9, 7, True, 8.0, "8", None])
def test_an_unknown_depth_is_refused(depth: object) -> None:
    with pytest.raises(ConfigError, match="depth must be one of 8, 20, 56"):
        resnet((32, 32, 3), 10, depth=depth)


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 4x4 pixels"):
        resnet((3, 32, 3), 10)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError, match="width must be"):
        resnet((32, 32, 3), 10, width=0)
