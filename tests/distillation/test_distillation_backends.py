"""The same distillation on each other Keras backend, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CODE = """
import dataclasses
import keras
import numpy as np
import trimtab
from trimtab.data import Augmentation, load_data

digits = load_data("digits")
few = dataclasses.replace(digits, train=digits.train.take(slice(0, 96)))

def net(width, seed, name, kernel=None):
    image = keras.Input((8, 8, 1))
    start = lambda layer: keras.initializers.GlorotUniform(seed=10 * seed + layer)
    x = keras.layers.Conv2D(width, 3, kernel_initializer=start(1), name="conv")(image)
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dropout(0.1)(keras.layers.Flatten()(x))
    x = keras.layers.Concatenate()([keras.layers.Flatten()(image), x])
    head = keras.layers.Dense(10, kernel_initializer=start(2), name="head")
    model = keras.Model(image, head(x), name=name)
    if kernel is not None:
        blind = np.zeros((36 * width, 10))
        head.kernel.assign(np.concatenate([kernel, blind]))
    return model

pixels = digits.train.inputs().reshape(-1, 64)
solved = np.linalg.lstsq(pixels, 10 * np.eye(10)[digits.train.labels], rcond=None)[0]
teacher = net(8, 1, "teacher", solved)  # knows the digits without a training
before = [np.array(weight) for weight in teacher.get_weights()]
logits = trimtab.distillation.cached_logits(teacher, few)
moved, weights = Augmentation(flip=True, shift=1), np.linspace(0, 2, 96)
for options in (
    {"augmentation": moved, "views": 2, "attention": [("conv", "conv")], "sample_weight": weights},
    {"features": [("relu", "relu")], "cache": "off"},
):
    student = net(4, 2, "student")
    result = trimtab.distill(student, teacher, few, epochs=3, batch_size=32, learning_rate=0.01, **options)
    assert result.teachers[0].accuracy > 0.8
    losses = [epoch.loss for epoch in result.history.epochs]
    assert losses[-1] < losses[0], (options, losses)
    value = student.evaluate(few.validation.inputs(), few.validation.labels, verbose=0)[0]
    best = result.history.best
    assert abs(value - best.val_loss) < 1e-3 * best.val_loss + 1e-4, (value, best)
for one, other in zip(before, teacher.get_weights(), strict=True):
    np.testing.assert_array_equal(one, np.array(other))

T, alpha = 3.0, 0.2
image = keras.Input((8, 8, 1))
flat = keras.Model(image, keras.layers.Dense(10, kernel_initializer="zeros")(keras.layers.Flatten()(image)))
once = {"epochs": 1, "batch_size": 96, "optimizer": "sgd", "temperature": T, "alpha": alpha}
p = np.exp(logits / T - (logits / T).max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
wanted = alpha * np.log(10) + (1 - alpha) * T**2 * (p * np.log(p * 10)).sum(axis=1).mean()
loss = trimtab.distill(flat, teacher, few, **once).history.epochs[0].loss
assert abs(loss - wanted) < 1e-3 * wanted, (loss, wanted)
print(keras.backend.backend(), "ok")
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_distillation_works_on(backend: str, on_backend: Callable[..., str]) -> None:
    assert on_backend(backend, "-c", CODE, timeout=600).split() == [backend, "ok"]
