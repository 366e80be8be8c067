"""The depthwise separable CNN."""

from __future__ import annotations

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.errors import ConfigError
from trimtab.zoo import ds_cnn


def test_its_example_is_true() -> None:
    model = ds_cnn((32, 32, 3), 10)
    assert model.name == "ds_cnn"
    assert model.count_params() == 41_418
    assert model.get_layer("stage_3_block_2_pointwise").output.shape == (None, 8, 8, 128)


@settings(deadline=None, max_examples=6)
@given(filters=st.lists(st.integers(1, 5), min_size=1, max_size=3), depth=st.integers(1, 2))
def test_parameters_are_what_the_formula_says(filters: list[int], depth: int) -> None:
    channels, expected = filters[0], (9 * 3 + 4) * filters[0]
    for width in filters:
        for _ in range(depth):
            expected += (9 + 4) * channels + (channels + 4) * width
            channels = width
    assert ds_cnn((8, 8, 3), 4, filters=filters, depth=depth).count_params() == expected + (channels + 1) * 4


def test_the_published_network_but_for_its_first_kernel() -> None:
    """MLPerf Tiny's has 23,756 trainable parameters: 10x4 first kernels, and biases that BN makes useless."""
    model = ds_cnn((49, 10, 1), 12, filters=(64,), depth=4, stem="imagenet")
    biases, first_kernels = 9 * 64, (10 * 4 - 3 * 3) * 64
    assert sum(weight.numpy().size for weight in model.trainable_weights) + biases + first_kernels == 23_756
    assert model.get_layer("stem").output.shape == (None, 25, 5, 64)


def test_larger_images_are_halved_by_the_stem() -> None:
    sizes = {size: ds_cnn((size, size, 3), 2, filters=(4,), depth=1).get_layer("stem") for size in (64, 65)}
    assert {size: layer.strides for size, layer in sizes.items()} == {64: (1, 1), 65: (2, 2)}


def test_each_block_is_depthwise_then_pointwise() -> None:
    kinds = [type(layer).__name__ for layer in ds_cnn((8, 8, 1), 2, filters=(4,), depth=1).layers]
    unit = ["BatchNormalization", "ReLU"]
    assert kinds == [
        "InputLayer",
        "Conv2D",
        *unit,
        "DepthwiseConv2D",
        *unit,
        "Conv2D",
        *unit,
        "GlobalAveragePooling2D",
        "Dense",
    ]
    assert keras.layers.Dense.__name__ == kinds[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": ()}, "one whole number per stage"),
        ({"filters": (8, 0)}, r"filters\[1\] must be"),
        ({"filters": (4, 4, 4, 4, 4)}, "small stem halves images 4 times.*at least 16x16"),
        ({"depth": 0}, "depth must be"),
        ({"stem": "big"}, "stem must be one of"),
        ({"dropout": 2}, "dropout must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_nonsense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ds_cnn((8, 8, 1), 10, **options)
