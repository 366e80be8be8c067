"""A model's prediction as one compiled function: it sees new weights, and several models are no fault."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest

from trimtab.models._forward import forward

IMAGES = np.linspace(-1, 1, 4 * 6, dtype=np.float32).reshape(4, 6)


def small(seed: int) -> keras.Model:
    """A classifier that behaves otherwise in training."""
    layers = [
        keras.layers.Dense(5, kernel_initializer=keras.initializers.GlorotUniform(seed)),
        keras.layers.Dropout(0.5, seed=0),
        keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(seed + 1)),
    ]
    return keras.Sequential([keras.Input((6,)), *layers])


def test_it_computes_with_the_weights_of_each_call() -> None:
    model = small(0)
    outputs = forward(model)
    np.testing.assert_allclose(outputs(IMAGES), model.predict(IMAGES, verbose=0), rtol=1e-5, atol=1e-6)
    before = outputs(IMAGES)
    model.layers[-1].bias.assign([1.0, 2.0, 3.0])
    after = outputs(IMAGES)
    assert after.dtype == np.float32
    np.testing.assert_allclose(after - before, np.broadcast_to([1.0, 2.0, 3.0], (4, 3)), rtol=1e-5)


def test_many_models_in_one_run_are_no_retracing(caplog: pytest.LogCaptureFixture) -> None:
    # TensorFlow warns of a function that it must trace again and again, and tells functions by their code.
    tensorflow = logging.getLogger("tensorflow")
    tensorflow.addHandler(caplog.handler)
    try:
        for seed in range(8):
            forward(small(seed))(IMAGES)
    finally:
        tensorflow.removeHandler(caplog.handler)
    assert "retracing" not in caplog.text
