"""Trains an aware model on this backend, and runs the backend-free tests again on each other one."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trimtab.quantization import quantize_aware


@pytest.mark.backend
@pytest.mark.parametrize("ranges", ["moving-average", "learned"])
def test_an_aware_model_learns(digits, ranges):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    images = keras.Input(digits.image_shape, name="images")
    x = layers.ReLU(name="relu")(
        layers.BatchNormalization(name="norm")(layers.Conv2D(6, 3, name="conv")(images))
    )
    x = layers.Activation("hard_silu", name="hard")(layers.DepthwiseConv2D(3, name="depthwise")(x))
    x = layers.AveragePooling2D(2, name="pool")(x)
    model = keras.Model(images, layers.Dense(10, name="logits")(layers.Flatten(name="flat")(x)))
    made = quantize_aware(
        model,
        digits,
        epochs=2,
        freeze_batch_norm=0.5,  # what is compiled changes between the two
        ranges=ranges,
        weights_bits=4,
        batch_size=16,
        learning_rate=1e-2,
        calibration=50,
    )
    assert made.history.epochs[-1].val_accuracy > 0.3  # of ten classes, after 180 steps from random weights
    assert made.frozen_from is None  # of two epochs, four fifths are both
    images = digits.test.inputs(0, 64)
    once, again = (
        np.asarray(keras.ops.convert_to_numpy(made.model(images, training=False))) for _ in range(2)
    )
    np.testing.assert_array_equal(once, again)
    step = made.ranges[-1].step
    np.testing.assert_allclose(once / step, np.rint(once / step), atol=1e-2)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_aware_models_work_on(backend, backend_tests_pass):
    names = ("grid", "fake_quantizer", "aware_backends")
    backend_tests_pass(backend, *(f"tests/quantization/test_quantization_{name}.py" for name in names))
