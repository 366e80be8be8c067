"""What stays of weights, and of values shaped like them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.channels import Slicing, find_groups, remove, weight_pairs
from trimtab.errors import ConfigError, ModelError

pytestmark = pytest.mark.backend


def toy() -> keras.Model:
    return keras.Sequential(
        [keras.Input((2, 2, 3)), layers.Conv2D(4, 1, name="conv"), layers.Flatten(), layers.Dense(2)]
    )


def test_values_are_sliced_as_the_weights_are() -> None:
    model = toy()
    keep = {"conv": [0, 3]}
    slicing = Slicing(find_groups(model), keep)
    smaller = remove(model, keep)
    for path, weight, twin in weight_pairs(model, smaller):
        assert path in ("conv", "dense", model.layers[-1].name)
        value = keras.ops.convert_to_numpy(weight)
        np.testing.assert_array_equal(slicing.take(weight, value), keras.ops.convert_to_numpy(twin))
        assert slicing.shape(weight) == tuple(twin.shape)
    kernel = model.layers[-1].kernel
    np.testing.assert_array_equal(np.flatnonzero(slicing.kept(kernel, 0)), [0, 3, 4, 7, 8, 11, 12, 15])
    assert slicing.kept(kernel, 1).all()
    assert slicing.changes(kernel)
    assert not slicing.changes(model.layers[-1].bias)


def test_values_of_another_shape_are_refused() -> None:
    model = toy()
    slicing = Slicing(find_groups(model), {"conv": [0]})
    with pytest.raises(ConfigError, match=r"\(1, 1, 3, 4\)"):
        slicing.take(model.layers[0].kernel, np.zeros(4))


def test_pairs_are_of_models_with_the_same_layers() -> None:
    with pytest.raises(ModelError, match="'conv'"):
        weight_pairs(toy(), keras.Sequential([keras.Input((3,)), layers.Dense(2)]))
