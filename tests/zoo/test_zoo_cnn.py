"""The plain CNN."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.errors import ConfigError
from trimtab.zoo import cnn


def weights(model: keras.Model) -> list[np.ndarray]:
    return list(model.get_weights())


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_it_takes_images_and_gives_one_logit_per_class() -> None:
    model = cnn((8, 8, 1), 10, filters=(8, 16), dense=16)
    logits = keras.ops.convert_to_numpy(model(np.zeros((2, 8, 8, 1), np.float32)))
    assert model.name == "cnn"
    assert logits.shape == (2, 10)
    assert logits.dtype == np.float32
    assert model.layers[-1].activation is keras.activations.linear


def test_its_example_is_true() -> None:
    assert cnn((8, 8, 1), 10, filters=(8, 16), dense=16).count_params() == 2458


@settings(deadline=None, max_examples=8)
@given(
    filters=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    depth=st.integers(1, 2),
    dense=st.integers(0, 4),
    batch_norm=st.booleans(),
    kernel=st.integers(1, 3),
)
def test_parameters_are_what_the_formula_says(
    filters: list[int], depth: int, dense: int, batch_norm: bool, kernel: int
) -> None:
    model = cnn((8, 8, 3), 4, filters=filters, depth=depth, dense=dense, batch_norm=batch_norm, kernel=kernel)
    expected, channels = 0, 3
    for width in filters:
        for _ in range(depth):
            expected += kernel * kernel * channels * width + (4 * width if batch_norm else width)
            channels = width
    features = channels if not dense else (8 // 2 ** len(filters)) ** 2 * channels
    if dense:
        expected += (features + 1) * dense
        features = dense
    assert model.count_params() == expected + (features + 1) * 4


def test_batch_norm_stands_between_convolution_and_relu() -> None:
    model = cnn((8, 8, 1), 2, filters=(4,), dense=0, batch_norm=True)
    assert kinds(model)[1:4] == ["Conv2D", "BatchNormalization", "ReLU"]
    assert not model.get_layer("conv_1").use_bias


def test_dropout_stands_before_the_logits_alone() -> None:
    model = cnn((8, 8, 1), 2, filters=(4, 4), dropout=0.4)
    rates = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {"dropout": 0.4}
    assert "Dropout" not in kinds(cnn((8, 8, 1), 2, filters=(4, 4)))


def test_layer_names_are_readable() -> None:
    model = cnn((8, 8, 1), 2, filters=(4, 4), depth=2, batch_norm=True)
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    assert names[:4] == ["images", "conv_1", "conv_1_bn", "conv_1_relu"]
    assert [name for name in names if name.startswith("pool")] == ["pool_1", "pool_2"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, second = cnn((8, 8, 1), 3, seed=5), cnn((8, 8, 1), 3, seed=5)
    other = cnn((8, 8, 1), 3, seed=6)
    assert all(np.array_equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))
    assert not np.array_equal(weights(first)[0], weights(other)[0])


def test_an_option_leaves_the_initial_weights_of_the_other_layers_alone() -> None:
    plain, dropped = cnn((8, 8, 1), 3), cnn((8, 8, 1), 3, dropout=0.5)
    assert all(np.array_equal(a, b) for a, b in zip(weights(plain), weights(dropped), strict=True))


def test_no_global_random_state_is_touched() -> None:
    before, numpy_before = random.getstate(), np.random.get_state()[1].copy()
    cnn((8, 8, 1), 3, dropout=0.5, batch_norm=True)
    assert random.getstate() == before
    assert np.array_equal(np.random.get_state()[1], numpy_before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": (-4,)}, r"filters\[0\] must be a whole number of at least 1. Received: filters\[0\]=-4"),
        ({"filters": ()}, "one whole number per stage"),
        ({"filters": "32"}, "one whole number per stage"),
        ({"filters": (4, 8, 16, 32)}, "8x8 pixels allow 3"),
        ({"depth": 0}, "depth must be"),
        ({"depth": True}, "depth must be"),
        ({"dense": -1}, "0 for global average pooling"),
        ({"dropout": 1.0}, "below 1"),
        ({"dropout": "a lot"}, "below 1"),
        ({"kernel": 1.5}, "kernel must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        cnn((8, 8, 1), 10, **options)


@pytest.mark.parametrize("shape", [(8, 8), "8x8", 8, (8, 8, 0), (8, None, 1)])
def test_an_image_shape_that_is_none_is_refused(shape: object) -> None:
    with pytest.raises(ConfigError, match="image_shape"):
        cnn(shape, 10)


def test_one_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least two classes"):
        cnn((8, 8, 1), 1)
