"""EfficientNet."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError
from trimtab.zoo import efficientnet

NORMALIZATION = 7  # weights of the layer in which Keras normalises the images; ours come as they are


def test_it_is_b0_with_the_parameters_of_keras_applications() -> None:
    theirs = keras.applications.EfficientNetB0(weights=None, input_shape=(96, 96, 3), classes=10)
    assert efficientnet((96, 96, 3), 10).count_params() == theirs.count_params() - NORMALIZATION


def test_width_and_depth_make_b2() -> None:
    model = efficientnet((260, 260, 3), 1000, width=1.1, depth=1.2)
    assert model.name == "efficientnet"
    assert model.count_params() == 9_177_569 - NORMALIZATION  # as Keras counts it, too
    assert model.get_layer("head").output.shape == (None, 9, 9, 1408)


def test_small_images_keep_their_size_for_longer() -> None:
    model = efficientnet((32, 32, 3), 10, width=0.2)
    assert model.get_layer("stem").output.shape[1:3] == (32, 32)
    assert model.get_layer("head").output.shape[1:3] == (4, 4)


def test_stochastic_depth_grows_along_the_network_and_is_off_by_default() -> None:
    model = efficientnet((8, 8, 1), 3, width=0.1, stochastic_depth=0.32)
    rates = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert list(rates.values()) == sorted(rates.values())
    assert rates["stage_2_block_2_drop"] == pytest.approx(0.32 * 2 / 16)
    assert rates["stage_6_block_4_drop"] == pytest.approx(0.32 * 14 / 16)


def test_stochastic_depth_leaves_out_whole_blocks() -> None:
    model = efficientnet((8, 8, 1), 3, width=0.1, stochastic_depth=0.8)
    name = "stage_6_block_4_drop"
    block = keras.Model(model.input, model.get_layer(name).output)
    given = keras.ops.convert_to_numpy(
        block(np.random.default_rng(0).random((32, 8, 8, 1), np.float32), training=True)
    )
    silent = ~given.reshape(32, -1).any(axis=1)
    assert 0 < silent.sum() < 32
    assert (given[~silent] != 0).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width must be a number above 0"),
        ({"depth": "deep"}, "depth must be a number above 0"),
        ({"stochastic_depth": 1}, "stochastic_depth must be at least 0"),
        ({"dropout": -0.1}, "dropout must be"),
        ({"stem": "imagenet"}, "at least 32x32"),
        ({"seed": "1"}, "seed must be"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        efficientnet((8, 8, 1), 10, **options)
