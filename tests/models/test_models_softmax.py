"""Does a model end in softmax, and the same model without it."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from trimtab.errors import ModelError
from trimtab.models import has_softmax, without_softmax
from trimtab.zoo import cnn

INPUT = (4, 4, 1)


def sequential(*ends: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input(INPUT), keras.layers.Flatten(name="flat"), *ends])


def functional(end: Callable) -> keras.Model:
    inputs = keras.Input(INPUT)
    return keras.Model(inputs, end(keras.layers.Flatten()(inputs)))


def dense(**options) -> keras.layers.Layer:
    return keras.layers.Dense(3, **options)


SOFTMAX = {
    "activation": lambda: sequential(dense(activation="softmax")),
    "activation function": lambda: sequential(dense(activation=keras.activations.softmax)),
    "activation layer as function": lambda: sequential(dense(activation=keras.layers.Softmax())),
    "Activation": lambda: sequential(dense(), keras.layers.Activation("softmax")),
    "Softmax": lambda: sequential(dense(), keras.layers.Softmax()),
    "before neutral layers": lambda: sequential(
        dense(activation="softmax"), keras.layers.Dropout(0.1), keras.layers.Activation("linear")
    ),
    "functional": lambda: functional(lambda x: dense(activation="softmax")(x)),
    "functional Softmax": lambda: functional(lambda x: keras.layers.Softmax()(dense()(x))),
    "keras.ops": lambda: functional(lambda x: keras.ops.softmax(dense()(x), axis=-1)),
    "nested": lambda: keras.Sequential([keras.Input(INPUT), sequential(dense(activation="softmax"))]),
    "nested functional": lambda: functional(
        lambda x: keras.Sequential([keras.Input((16,)), dense(), keras.layers.Softmax()])(x)
    ),
    "reshaped": lambda: functional(
        lambda x: keras.layers.Reshape((3,))(keras.layers.Softmax()(keras.layers.Reshape((1, 3))(dense()(x))))
    ),
}

LOGITS = {
    "dense": lambda: sequential(dense()),
    "sigmoid": lambda: sequential(dense(activation="sigmoid")),
    "softmax in the middle": lambda: sequential(dense(activation="softmax"), dense()),
    "zoo": lambda: cnn((4, 4, 1), 3, filters=(2,)),
    "attention inside": lambda: functional(lambda x: dense()(x * dense(activation="softmax")(x)[:, :1])),
}


@pytest.mark.parametrize("name", SOFTMAX)
def test_softmax_is_seen_and_taken_out(name: str) -> None:
    model = SOFTMAX[name]()
    images = np.random.default_rng(0).random((5, *INPUT), dtype=np.float32)
    probabilities = np.asarray(model(images, training=False))
    assert has_softmax(model)
    bare = without_softmax(model)
    assert not has_softmax(bare)
    logits = np.asarray(bare(images, training=False))
    assert np.allclose(keras.ops.softmax(logits), probabilities, atol=1e-6)
    assert not np.allclose(logits.sum(axis=-1), 1)
    assert np.array_equal(model(images, training=False), probabilities)
    assert not {id(weight) for weight in model.weights} & {id(weight) for weight in bare.weights}


@pytest.mark.parametrize("name", LOGITS)
def test_other_ends_are_no_softmax_and_stay(name: str) -> None:
    model = LOGITS[name]()
    images = np.random.default_rng(0).random((2, *INPUT), dtype=np.float32)
    assert not has_softmax(model)
    assert np.array_equal(without_softmax(model)(images), model(images))


class Own(keras.Model):
    def __init__(self, softmax: bool) -> None:
        super().__init__()
        self.softmax = softmax
        self.flat, self.end = keras.layers.Flatten(), dense(activation="softmax" if softmax else None)

    def call(self, inputs):
        return self.end(self.flat(inputs))

    def get_config(self):
        return {"softmax": self.softmax}


@pytest.mark.parametrize("softmax", [True, False])
def test_a_subclassed_model_is_judged_by_its_outputs(softmax: bool) -> None:
    model = Own(softmax)
    model(np.zeros((1, *INPUT), np.float32))
    assert has_softmax(model) == softmax
    if softmax:
        with pytest.raises(ModelError, match="Let its call method return logits"):
            without_softmax(model)
