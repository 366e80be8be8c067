"""Architectures by name, and what all of them have in common."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from trimtab import litert, zoo
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.data import ImageData

SMALL = {
    "cnn": {"filters": (4, 8), "dense": 4, "batch_norm": True},
    "ds_cnn": {"filters": (4, 8), "depth": 1},
    "efficientnet": {"width": 0.1, "stochastic_depth": 0.2},
    "mobilenet_v2": {"alpha": 0.1},
    "mobilenet_v3": {"alpha": 0.1},
    "resnet": {"width": 2},
    "vgg": {"width": 2},
}
"""Each architecture but resnet50, which has a file of its own, as small as it goes."""


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    return {name: zoo.build(name, (8, 8, 1), 3, dropout=0.2, seed=4, **SMALL[name]) for name in SMALL}


@pytest.fixture(scope="module")
def images(digits: ImageData) -> np.ndarray:
    return digits.train.inputs(0, 48)


def numbers(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images))


def test_every_architecture_is_tested_here_or_in_a_file_of_its_own() -> None:
    assert {*SMALL, "resnet50"} == set(zoo.architectures())


@pytest.mark.parametrize("name", SMALL)
def test_every_architecture_builds_with_its_defaults_and_ends_in_logits(name: str) -> None:
    model = zoo.build(name, (8, 8, 1), 3)
    assert model.output_shape == (None, 3)
    assert model.layers[-1].name == "logits"
    assert model.layers[-1].activation is keras.activations.linear
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_gives_the_same_weights_and_no_global_state_is_touched(
    name: str, models: dict[str, keras.Model]
) -> None:
    before, numpy_before = random.getstate(), np.random.get_state()[1].copy()
    again = zoo.build(name, (8, 8, 1), 3, seed=4, **{**SMALL[name], "dropout": 0.1})
    assert random.getstate() == before
    assert np.array_equal(np.random.get_state()[1], numpy_before)
    first, second = models[name].weights, again.weights
    named = [
        {weight.path: weight.numpy() for weight in each if "seed" not in weight.path}
        for each in (first, second)
    ]
    assert named[0].keys() == named[1].keys()
    assert all(np.array_equal(named[0][path], named[1][path]) for path in named[0])
    assert [layer.name for layer in again.layers] == [layer.name for layer in models[name].layers]
    other = zoo.build(name, (8, 8, 1), 3, seed=5, **SMALL[name])
    kernels = [
        (a, b) for a, b in zip(again.trainable_weights, other.trainable_weights, strict=True) if a.ndim > 1
    ]
    assert not any(np.array_equal(a.numpy(), b.numpy()) for a, b in kernels)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_saved_loads_in_plain_keras(
    name: str, models: dict[str, keras.Model], images: np.ndarray, tmp_path: Path
) -> None:
    models[name].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    there, here = numbers(loaded, images), numbers(models[name], images)
    assert here.shape == (48, 3)
    assert here.dtype == np.float32
    assert np.array_equal(there, here)


@pytest.mark.parametrize("name", ["ds_cnn", "vgg"])  # the blocks of the others: test_zoo_inverted_residual
def test_int8_leaves_no_float_inside(name: str, models: dict[str, keras.Model], images: np.ndarray) -> None:
    summary = litert.inspect(litert.convert(models[name], "int8", images))
    assert summary.float_tensors == ()
    assert not {"QUANTIZE", "DEQUANTIZE", "CUSTOM"} & summary.ops.keys()


@pytest.mark.parametrize("name", SMALL)
def test_batch_normalisation_stands_right_after_each_convolution_without_bias(
    name: str, models: dict[str, keras.Model]
) -> None:
    model = models[name]
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    bare = [layer for layer in model.layers if isinstance(layer, kinds) and not layer.use_bias]
    assert bare
    assert all(model.get_layer(f"{layer.name}_bn").input is layer.output for layer in bare)


def test_options_reach_the_builder() -> None:
    assert zoo.build("resnet", (8, 8, 1), 3, depth=20, width=2).name == "resnet_20"


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'resnt' is not an architecture.*Did you mean 'resnet'"):
        zoo.build("resnt", (8, 8, 1), 3)


def test_an_unknown_option_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"cnn has no option 'filter'.*Did you mean 'filters'"):
        zoo.build("cnn", (8, 8, 1), 3, filter=(8,))
