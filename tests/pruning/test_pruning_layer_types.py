from __future__ import annotations

import keras
import pytest

from trimtab.errors import ConfigError
from trimtab.pruning import layer_types
from trimtab.pruning.where._where import choose_weights

layers = keras.layers
pytestmark = pytest.mark.backend


class Dense(layers.Dense):
    """A class of one's own that has the name of Keras'."""


def model(first=Dense, second=layers.Dense):
    inner = keras.Sequential([keras.Input((4,)), second(4, name="theirs")], name="inner")
    return keras.Sequential([keras.Input((4,)), first(4, name="mine"), inner, layers.ReLU()], name="m")


@pytest.mark.parametrize("kinds", [(Dense, layers.Dense), (layers.Dense, Dense)])
def test_every_class_of_a_name_is_meant(kinds):
    found = layer_types(model(*kinds), ["Dense"])
    assert set(found) == {Dense, layers.Dense}
    weights, _ = choose_weights(model(*kinds), found)
    assert [weight.layer for weight in weights] == ["mine", "inner/theirs"]


def test_classes_of_one_name_that_are_strangers_are_both_meant():
    twin = type("Twin", (layers.Dense,), {}), type("Twin", (layers.Dense,), {})
    assert layer_types(model(*twin), ["Twin"]) == twin


def test_each_class_is_given_once():
    assert layer_types(model(layers.Dense), ["Dense", "Dense", "ReLU"]) == (layers.Dense, layers.ReLU)


@pytest.mark.parametrize("name", ["Function", "Trainer", "Layer", "object", "Operation", "Desne"])
def test_only_layer_classes_have_names(name):
    with pytest.raises(ConfigError, match=f"no layer of type '{name}'"):
        layer_types(model(), [name])


def test_nested_models_have_a_class_too():
    assert layer_types(model(), ["Sequential"]) == (keras.Sequential,)
