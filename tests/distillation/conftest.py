"""Small nets for the digits, and one of them that has learned to teach."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import pytest

if TYPE_CHECKING:
    from trimtab.data import ImageData

Build = Callable[..., Any]


def _net(
    *,
    width: int = 4,
    softmax: bool = False,
    normalized: bool = False,
    dropout: float = 0.0,
    classes: int = 10,
    seed: int = 0,
    name: str = "student",
) -> Any:
    def start(layer: int) -> Any:
        return keras.initializers.GlorotUniform(seed=seed * 10 + layer)

    image = keras.Input((8, 8, 1), name="images")
    x = keras.layers.Conv2D(width, 3, padding="same", kernel_initializer=start(1), name="conv_1")(image)
    if normalized:
        x = keras.layers.BatchNormalization(name="bn_1")(x)
    x = keras.layers.ReLU(name="relu_1")(x)
    x = keras.layers.Conv2D(
        2 * width, 3, strides=2, padding="same", kernel_initializer=start(2), name="conv_2"
    )(x)
    x = keras.layers.ReLU(name="relu_2")(x)
    x = keras.layers.Flatten(name="flat")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    head = keras.layers.Dense(
        classes, kernel_initializer=start(3), activation="softmax" if softmax else None, name="head"
    )
    return keras.Model(image, head(x), name=name)


@pytest.fixture
def net() -> Build:
    """Builds a small untrained net; its layers are conv_1 (8x8), relu_1, conv_2 (4x4), relu_2, flat, head."""
    return _net


@pytest.fixture(scope="session")
def few(digits: ImageData) -> ImageData:
    """Digits with 96 training images: one step, or a few."""
    return dataclasses.replace(digits, train=digits.train.take(slice(0, 96)))


@pytest.fixture(scope="session")
def teacher(digits: ImageData) -> Any:
    """A net with batch normalisation that has learned the digits."""
    from trimtab.training import train

    model = _net(width=12, normalized=True, seed=7, name="teacher")
    train(model, digits, epochs=5, batch_size=32, learning_rate=0.01)
    return model
