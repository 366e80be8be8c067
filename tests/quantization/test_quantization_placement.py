from __future__ import annotations

import keras
import pytest

from trimtab.errors import ConfigError
from trimtab.quantization import Rule, register
from trimtab.quantization._placement import place
from trimtab.quantization._prepared import prepared  # noqa: F401 - fills the rules
from trimtab.quantization._register import rule_of
from trimtab.quantization._steps import steps_of

layers = keras.layers


def placed(outputs, inputs, asked=lambda layer: None):
    """Says which quantizers there are, by name, with the layers whose outputs they round."""
    placement = place(steps_of(keras.Model(inputs, outputs)), asked)
    found = {q.name: [tensor.name for tensor in q.tensors] for q in placement.all_quantizers()}
    return found, placement.kept_float


def conv(x, name, filters=4, **options):
    return layers.Conv2D(filters, 3, padding="same", name=name, **options)(x)


def test_none_stands_between_a_convolution_and_its_relu():
    images = keras.Input((8, 8, 3), name="images")
    found, kept = placed(layers.ReLU(6.0, name="relu")(conv(images, "conv")), images)
    assert found == {"images_quantizer": ["images"], "relu_quantizer": ["relu"]}
    assert kept == {}


def test_a_convolution_that_others_read_too_has_its_own():
    images = keras.Input((8, 8, 3), name="images")
    x = conv(images, "conv")
    found, _ = placed(layers.Add(name="add")([x, layers.ReLU(name="relu")(x)]), images)
    assert set(found) == {"images_quantizer", "conv_quantizer", "relu_quantizer", "add_quantizer"}


def test_both_branches_of_an_add_and_its_sum_have_one():
    images = keras.Input((8, 8, 3), name="images")
    total = layers.Add(name="add")([conv(images, "one"), conv(images, "other")])
    found, _ = placed(layers.ReLU(name="relu")(total), images)
    assert set(found) == {"images_quantizer", "one_quantizer", "other_quantizer", "relu_quantizer"}


def test_what_is_moved_about_keeps_its_range():
    images = keras.Input((8, 8, 3), name="images")
    x = layers.MaxPooling2D(name="pool")(conv(images, "conv"))
    x = layers.Flatten(name="flat")(layers.Dropout(0.1, name="drop")(layers.ZeroPadding2D(name="pad")(x)))
    found, _ = placed(layers.Dense(3, name="logits")(x), images)
    assert set(found) == {"images_quantizer", "conv_quantizer", "logits_quantizer"}


def test_all_that_is_concatenated_shares_one_range():
    images = keras.Input((8, 8, 3), name="images")
    one, other = conv(images, "one"), layers.MaxPooling2D(3, 1, "same", name="pool")(conv(images, "other"))
    x = layers.Concatenate(name="both")([one, other])
    found, _ = placed(layers.Concatenate(name="all")([x, conv(x, "third")]), images)
    assert set(found) == {"images_quantizer", "third_quantizer"}
    assert set(found["third_quantizer"]) == {"one", "other", "third"}


def test_a_range_that_is_prescribed_is_kept_apart():
    images = keras.Input((8, 8, 3), name="images")
    gate = layers.Activation("sigmoid", name="gate")(conv(images, "one"))
    found, _ = placed(layers.Concatenate(name="both")([gate, conv(images, "other")]), images)
    assert found["gate_quantizer"] == ["gate"]
    assert ["gate", "other"] in found.values()


def test_float_goes_on_to_the_next_layer_of_integers():
    images = keras.Input((8, 8, 3), name="images")
    x = layers.ReLU(name="relu")(conv(images, "kept"))
    x = conv(layers.MaxPooling2D(name="pool")(x), "conv")
    found, kept = placed(x, images, lambda layer: "asked" if layer.name == "kept" else None)
    assert kept == {"kept": "asked"}
    assert found == {
        "images_quantizer": ["images"],
        "pool_quantizer": ["pool"],
        "conv_quantizer": ["conv"],
    }


def test_a_layer_without_rule_stays_float_and_says_so():
    images = keras.Input((8, 8, 3), name="images")
    x = layers.LayerNormalization(name="norm")(conv(images, "conv"))
    found, kept = placed(conv(x, "after"), images)
    assert kept == {"norm": "LayerNormalization has no rule"}
    assert {"conv_quantizer", "norm_quantizer", "after_quantizer"} < set(found)


class Mirrored(layers.Layer):
    def call(self, inputs):
        return keras.ops.flip(inputs, axis=2)


class OwnConv(layers.Conv2D):
    def call(self, inputs):
        return super().call(inputs) * 2


def test_layers_can_be_registered_and_subclasses_inherit():
    assert rule_of(Mirrored()) == "Mirrored has no rule"
    register(Mirrored, Rule(output="same"))

    class Other(Mirrored):
        pass

    assert rule_of(Other()).output == "same"
    assert rule_of(OwnConv(3, 3)) == "OwnConv computes in its own way, unlike Conv2D"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: register("Conv", Rule()), "class of Keras layers"),
        (lambda: register(Mirrored, "same"), "takes a Rule"),
        (lambda: Rule(output="sam"), "Did you mean 'same'"),
        (lambda: Rule(output="fixed"), "has a fixed range"),
    ],
)
def test_rules_that_make_no_sense_are_refused(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (layers.ReLU(max_value=2.0), "largest value is 2"),
        (layers.ReLU(threshold=1.0), "threshold is 1"),
        (layers.Activation("elu"), "no int8 kernel for the activation 'elu'"),
        (layers.Softmax(axis=1), "its axis is 1"),
        (layers.Conv2D(3, 3, activation="relu"), "activation that cannot be a layer"),
    ],
)
def test_layers_that_the_file_could_not_compute_say_why(layer, said):
    assert said in rule_of(layer)


def test_a_signed_range_that_is_prescribed_cannot_be_shared():
    images = keras.Input((8, 8, 3), name="images")
    bent = layers.Activation("tanh", name="bent")(conv(images, "one"))
    _, kept = placed(layers.Concatenate(name="both")([bent, conv(images, "other")]), images)
    assert kept == {"bent": "LiteRT prescribes its range, and it shares one"}
