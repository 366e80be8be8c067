"""Does a model take these images and tell these classes apart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from trimtab.errors import ModelError
from trimtab.models import check_fits
from trimtab.zoo import cnn


def images(shape: tuple[int, ...] = (8, 8, 1), classes: int = 3) -> Any:
    return SimpleNamespace(name="pictures", image_shape=shape, classes=classes)


def test_a_model_that_fits_is_accepted() -> None:
    check_fits(cnn((8, 8, 1), 3), images())


def test_a_model_that_takes_any_size_is_accepted() -> None:
    layers = [keras.Input((None, None, 1)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    check_fits(keras.Sequential(layers), images())


class Own(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.flat, self.end = keras.layers.Flatten(), keras.layers.Dense(3)

    def call(self, inputs):
        return self.end(self.flat(inputs))


def test_a_subclassed_model_is_asked_for_its_shapes() -> None:
    model = Own()
    model(np.zeros((1, 8, 8, 1), np.float32))
    check_fits(model, images())
    with pytest.raises(ModelError, match="has 3 outputs, but pictures has 4 classes"):
        check_fits(model, images(classes=4))
    with pytest.raises(ModelError, match="does not take images of shape"):
        check_fits(model, images((9, 9, 1)))


def several(inputs: int, outputs: int) -> keras.Model:
    takes = [keras.Input((8, 8, 1)) for _ in range(inputs)]
    joined = keras.layers.Add()(takes) if inputs > 1 else takes[0]
    flat = keras.layers.Flatten()(joined)
    return keras.Model(takes, [keras.layers.Dense(3)(flat) for _ in range(outputs)])


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        (lambda: "a model", images(), "A Keras model is needed. Received: str"),
        (lambda: keras.Sequential([keras.layers.Dense(3)]), images(), "has no weights yet"),
        (lambda: several(2, 1), images(), "has 2 and 1"),
        (lambda: several(1, 2), images(), "has 1 and 2"),
        (lambda: cnn((8, 8, 3), 3), images(), r"images of pictures are \(8, 8, 1\).*channels=3"),
        (lambda: cnn((16, 16, 1), 3), images(), r"size=\(16, 16\)"),
        (lambda: cnn((8, 8, 1), 10), images(), "has 10 outputs, but pictures has 3 classes"),
        (lambda: cnn((3, 8, 8), 3, filters=(2,)), images((8, 8, 3)), "wants the channels first"),
        (
            lambda: keras.Sequential([keras.Input((64,)), keras.layers.Dense(3)]),
            images(),
            "Reshape or Flatten",
        ),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(3, 1)]),
            images(),
            r"gives \('batch', 8, 8, 3\)",
        ),
        (
            lambda: keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]),
            images(classes=2),
            "instead of one sigmoid",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(model: Any, data: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        check_fits(model(), data)
    assert "\n" not in str(caught.value)
