"""Copies of models."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest

from trimtab.errors import ModelError
from trimtab.models import clone
from trimtab.zoo import cnn


class Scaling(keras.layers.Layer):
    """A custom layer that nobody registered."""

    def __init__(self, start=2.0, **options):
        super().__init__(**options)
        self.start = start

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer=keras.initializers.Constant(self.start))

    def call(self, inputs):
        return inputs * self.scale

    def get_config(self):
        return {**super().get_config(), "start": self.start}


class Subclassed(keras.Model):
    def __init__(self, units=3, **options):
        super().__init__(**options)
        self.units = units
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(units)

    def call(self, inputs):
        return self.dense(self.flatten(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def twice_plus_one(x):
    return 2 * x + 1


def functional() -> keras.Model:
    return cnn((8, 8, 1), 3, filters=(2,), dense=4, dropout=0.2, batch_norm=True)


def sequential() -> keras.Model:
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), Scaling(), keras.layers.Dense(3)]
    return keras.Sequential(layers, name="sequential")


def nested() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, keras.layers.Softmax()(sequential()(keras.layers.Rescaling(2.0)(inputs))))


def twice_called() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    layer = keras.layers.Conv2D(1, 3, padding="same", name="shared")
    return keras.Model(inputs, keras.layers.Flatten()(layer(layer(inputs)) + 3))


def in_two_nested_models() -> keras.Model:
    shared = keras.layers.Conv2D(1, 3, padding="same", name="shared")
    inputs = keras.Input((8, 8, 1))
    first = keras.Sequential([keras.Input((8, 8, 1)), shared], name="first")
    second = keras.Sequential([keras.Input((8, 8, 1)), shared], name="second")
    return keras.Model(inputs, keras.layers.Flatten()(second(first(inputs))))


def own_function() -> keras.Model:
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation=twice_plus_one),
    ]
    return keras.Sequential(layers)


def subclassed() -> keras.Model:
    model = Subclassed(name="subclassed")
    model(np.zeros((1, 8, 8, 1), np.float32))
    return model


MODELS = [functional, sequential, nested, twice_called, in_two_nested_models, own_function, subclassed]


@pytest.mark.parametrize("make", MODELS)
def test_a_copy_computes_the_same_and_shares_nothing(make) -> None:
    model = make()
    images = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
    before = np.asarray(model(images, training=False))
    copy = clone(model)
    assert type(copy) is type(model)
    assert copy.name == model.name
    assert np.array_equal(copy(images, training=False), before)
    assert not {id(weight) for weight in model.weights} & {id(weight) for weight in copy.weights}
    copy.set_weights([value * 0 for value in copy.get_weights()])
    assert np.array_equal(model(images, training=False), before)


@pytest.mark.parametrize("make", [functional, nested, twice_called, in_two_nested_models])
def test_layer_names_and_trainability_stay(make) -> None:
    model = make()
    model.layers[1].trainable = False
    copy = clone(model)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    assert [layer.trainable for layer in copy.layers] == [layer.trainable for layer in model.layers]
    assert len(copy.weights) == len(model.weights)


def test_a_copy_is_not_compiled_and_the_original_stays_so() -> None:
    model = functional()
    model.compile("adam", lambda truth, guess: guess)
    assert not clone(model).compiled
    assert model.compiled


def test_layers_that_adapted_to_data_compute_with_what_they_saw() -> None:
    standard = keras.layers.Normalization()
    standard.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)).astype("float32"))
    model = keras.Sequential([keras.Input((4,)), standard])
    points = np.ones((2, 4), "float32")
    np.testing.assert_allclose(clone(model)(points), model(points), rtol=1e-6)


def test_the_callers_random_numbers_stay_as_they_were() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.Dropout(0.5)])
    before = random.getstate()
    clone(model)
    assert random.getstate() == before


def test_an_unbuilt_model_is_refused() -> None:
    with pytest.raises(ModelError, match="has no weights yet"):
        clone(keras.Sequential([keras.layers.Dense(2)]))


def test_a_class_without_config_is_refused_with_what_to_do() -> None:
    class Silent(keras.Model):
        def __init__(self, layer, extra):
            super().__init__()
            self.layer, self.extra = layer, extra

        def call(self, inputs):
            return self.layer(inputs)

    model = Silent(keras.layers.Dense(2), object())
    model(np.zeros((1, 3), np.float32))
    with pytest.raises(ModelError, match="get_config"):
        clone(model)
