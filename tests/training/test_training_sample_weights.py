from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from trimtab.errors import ConfigError
from trimtab.training import train

if TYPE_CHECKING:
    from trimtab.data import ImageData


def _linear() -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seed=1)),
        ]
    )


@pytest.fixture
def few(digits: ImageData) -> ImageData:
    return dataclasses.replace(digits, train=digits.train.take(slice(0, 64)))


_ONE_STEP: dict[str, Any] = {"epochs": 1, "batch_size": 64, "optimizer": "sgd", "learning_rate": 0.1}


def test_a_step_is_taken_on_the_mean_of_weight_times_loss(few: ImageData) -> None:
    weights = np.linspace(0, 3, 64)
    logits = np.asarray(_linear()(few.train.inputs()), np.float64)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    losses = -logs[np.arange(64), few.train.labels]
    first, second = _linear(), _linear()
    weighted = train(first, few, sample_weight=weights, **_ONE_STEP).history.epochs[0]
    plain = train(second, few, **_ONE_STEP).history.epochs[0]
    assert weighted.loss == pytest.approx((weights * losses).mean(), rel=1e-5)
    assert plain.loss == pytest.approx(losses.mean(), rel=1e-5)
    assert weighted.accuracy == plain.accuracy
    assert not np.array_equal(first.get_weights()[0], second.get_weights()[0])


def test_an_image_that_counts_nothing_teaches_nothing(few: ImageData) -> None:
    half = np.array([1.0] * 32 + [0.0] * 32)
    other = few.train.labels.copy()
    other[32:] = (other[32:] + 1) % 10
    changed = dataclasses.replace(few, train=dataclasses.replace(few.train, labels=other))
    first, second = _linear(), _linear()
    train(first, few, sample_weight=half, **_ONE_STEP)
    train(second, changed, sample_weight=half, **_ONE_STEP)
    for one, two in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_weights_of_one_change_nothing(few: ImageData) -> None:
    first, second = _linear(), _linear()
    train(first, few, epochs=2, sample_weight=np.ones(64))
    train(second, few, epochs=2)
    for one, two in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_weights_that_make_no_sense(few: ImageData) -> None:
    for wrong, message in (
        (np.ones(63), "has shape"),
        (np.ones((64, 1)), "has shape"),
        (np.full(64, np.nan), "goes from nan"),
        ([object()] * 64, "must be 64 numbers"),
    ):
        with pytest.raises(ConfigError, match=message):
            train(_linear(), few, epochs=1, sample_weight=wrong)
