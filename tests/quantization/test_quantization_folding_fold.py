"""The flat model as a whole."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.errors import ModelError
from trimtab.quantization import fold


def block(x, filters, name, **options):
    x = layers.Conv2D(filters, 3, use_bias=False, name=f"{name}_conv", **options)(x)
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))


def base(name="base"):
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, block(block(inputs, 4, "one"), 6, "two", padding="same"), name=name)


@pytest.mark.backend
def test_sequential(same_outputs, kinds):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.ReLU(name="relu"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flat"),
            layers.Dense(5, activation="relu", name="hidden"),
            layers.BatchNormalization(name="bn2"),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        name="net",
    )
    folded = same_outputs(model)
    assert folded.model.name == "net"
    assert kinds(folded.model) == [
        "Conv2D", "ReLU", "MaxPooling2D", "Flatten", "Dense", "ReLU", "Dense", "Softmax",
    ]  # fmt: skip
    assert dict(folded.origin) == {
        "conv": ("conv", "bn"),
        "relu": ("relu",),
        "pool": ("pool",),
        "flat": ("flat",),
        "hidden": ("hidden",),
        "hidden_relu": ("hidden",),
        "out": ("bn2", "out"),
        "out_softmax": ("out",),
    }
    assert folded.notes[0] == "2 batch normalisations became part of the layers beside them."
    assert not folded.kept


@pytest.mark.backend
def test_nested_models_are_opened_and_names_stay_unique(same_outputs, kinds):
    inputs = keras.Input((8, 8, 3))
    x = base("base")(inputs, training=False)
    x = layers.GlobalAveragePooling2D()(x)
    head = keras.Sequential([keras.Input((6,)), layers.Dense(4, name="one_conv"), layers.ReLU()], name="head")
    folded = same_outputs(keras.Model(inputs, head(x)))
    assert not any(isinstance(layer, keras.Model) for layer in folded.model.layers)
    assert folded.origin["one_conv"] == ("base/one_conv", "base/one_bn")
    assert folded.origin["head_one_conv"] == ("head/one_conv",)
    assert "BatchNormalization" not in kinds(folded.model)


@pytest.mark.backend
def test_a_nested_model_called_twice_shares_its_weights(same_outputs):
    both = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    twin = base()
    x = layers.Concatenate()([twin(both[0]), twin(both[1])])
    folded = same_outputs(keras.Model(both, x))
    names = [layer.name for layer in folded.model.layers]
    assert names.count("one_conv") == 1
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.model.layers)
    assert len(folded.model.get_layer("one_conv").weights) == 2


def test_frozen_layers_stay_frozen():
    inner = base()
    inner.trainable = False
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(2, 1, name="conv")(inner(inputs)))
    model = keras.Model(inputs, x)
    folded = fold(model).model
    assert not folded.get_layer("one_conv").trainable
    assert folded.get_layer("conv").trainable
    assert len(folded.trainable_variables) == 2


def test_structures_of_inputs_and_outputs_stay():
    one, two = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    x = layers.BatchNormalization()(layers.Dense(3)(layers.Add()([one, two])))
    model = keras.Model({"left": one, "right": two}, {"sum": x, "positive": layers.ReLU()(x)})
    values = {"left": np.ones((2, 4), "float32"), "right": np.full((2, 4), 0.5, "float32")}
    folded = fold(model).model
    for name, before in model(values).items():
        np.testing.assert_allclose(folded(values)[name], before, rtol=1e-5, atol=1e-6)


def test_what_is_folded_can_be_saved_and_folded_again(same_outputs, kinds, tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = block(inputs, 4, "one")
    x = layers.BatchNormalization(name="bn")(layers.Add(name="add")([x, layers.ReLU()(x)]))
    model = keras.Model(inputs, layers.ReLU()(x))
    folded = same_outputs(model)
    folded.model.save(tmp_path / "flat.keras")
    loaded = keras.saving.load_model(tmp_path / "flat.keras")
    images = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(loaded(images), folded.model(images))
    again = fold(loaded)
    assert kinds(again.model) == kinds(folded.model)
    np.testing.assert_allclose(again.model(images), folded.model(images), rtol=1e-6, atol=1e-6)


@keras.saving.register_keras_serializable("tests")
class Doubled(layers.Layer):
    """A layer that nobody knows."""

    def call(self, inputs):
        return inputs * 2.0


class OwnConv(layers.Conv2D):
    """A convolution that computes in its own way."""

    def call(self, inputs):
        return super().call(inputs) * 0.5


def test_unknown_layers_stay(same_outputs, kinds):
    inputs = keras.Input((8, 8, 3))
    x = Doubled()(layers.Conv2D(4, 3)(inputs))
    x = layers.BatchNormalization(name="bn")(OwnConv(3, 1, activation="relu", name="own")(x))
    folded = same_outputs(keras.Model(inputs, x))
    assert kinds(folded.model) == ["Conv2D", "Doubled", "OwnConv", "DepthwiseConv2D"]


def test_a_model_without_a_graph_inside_stays(same_outputs):
    class Own(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.inner = layers.Dense(3)

        def call(self, inputs):
            return self.inner(inputs)

    inputs = keras.Input((4,))
    folded = same_outputs(keras.Model(inputs, layers.BatchNormalization()(Own(name="own")(inputs))))
    assert "class of its own" in folded.kept["own"]


def test_bad_input():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ModelError, match="no weights yet"):
        fold(keras.Sequential([layers.Dense(3)]))
    own = Own()
    own(np.zeros((1, 3), "float32"))
    with pytest.raises(ModelError, match="no graph"):
        fold(own)
