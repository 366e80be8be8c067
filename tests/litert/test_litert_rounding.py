from __future__ import annotations

import numpy as np
import pytest
from keras import layers

from trimtab import litert
from trimtab.litert._rounding import first_weight_that_differs

QUANTIZED = ["dynamic-int8", "int8", "int8-float-io", "int16x8", "float16"]


@pytest.mark.parametrize("scheme", QUANTIZED)
def test_the_weights_of_a_sound_file_are_the_models_rounded(files, scheme):
    assert first_weight_that_differs(files["float32"], files[scheme]) is None


def _off_by_two(weights):
    changed = weights.copy()
    changed.flat[0] += 2 if changed.flat[0] < 100 else -2
    return changed


@pytest.mark.parametrize(
    "change",
    [np.negative, np.zeros_like, lambda w: w[::-1], _off_by_two],
    ids=["negated", "zeroed", "swapped", "one weight off by two steps"],
)
@pytest.mark.parametrize("tensor", ["second_1/convolution", "hidden_1/MatMul"])
def test_every_damage_is_seen_and_named(files, damage, tensor, change):
    content = damage(files["int8"], tensor, change)
    found = first_weight_that_differs(files["float32"], content)
    assert tensor.split("_")[0] in found
    assert "\n" not in found


def test_a_damaged_bias_is_seen(files, damage):
    biases = [t for t in litert.inspect(files["int8"]).tensors if t.dtype == "int32" and t.quantized]
    content = damage(files["int8"], biases[0].name, lambda values: values + 3)
    assert first_weight_that_differs(files["float32"], content) is not None


def test_another_models_file_cannot_be_compared(make_net, files):
    import keras

    shallow = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10)])
    found = first_weight_that_differs(files["float32"], litert.convert(shallow))
    assert "operators are not those of the float file" in found


def test_steps_too_coarse_for_the_weights_prove_nothing(net, files, proof):
    """A float file of tiny weights is within half a step of any int8 file: that is no agreement."""
    from trimtab import models

    faint = models.clone(net)
    for layer in faint.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(layer.kernel.numpy() * 1e-4)
    assert first_weight_that_differs(litert.convert(faint), files["int8"]) is not None
