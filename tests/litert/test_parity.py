from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import litert
from trimtab._records import to_plain
from trimtab.errors import ConversionError
from trimtab.litert._parity import DEEP_LIMIT


def test_a_sound_file_is_described(net, files, proof):
    parity = litert.check_parity(net, files["int8"], proof, "int8")
    assert parity.bytes == len(files["int8"])
    low, high = parity.expected_weight_bytes
    assert low < parity.weight_bytes < high
    assert parity.mean_error <= parity.error_limit
    assert parity.max_error_steps == pytest.approx(
        parity.max_error / litert.LiteRTModel(files["int8"]).output_quantization[0]
    )
    assert parity.decided <= parity.images
    assert parity.first_diverging_layer is None
    assert to_plain(parity)["passed"] is True


def test_a_file_without_weights_is_refused(net, proof):
    """What `from_concrete_functions` makes of a Keras 3 model: weights are gone, outputs are NaN."""
    import tensorflow as tf

    call = tf.function(lambda images: net(images, training=False))
    traced = call.get_concrete_function(tf.TensorSpec((1, 8, 8, 1), tf.float32))
    content = tf.lite.TFLiteConverter.from_concrete_functions([traced], net).convert()
    parity = litert.check_parity(net, content, proof, "float32")
    assert not parity.passed
    assert "Weights are missing" in parity.reason


@pytest.mark.parametrize("scheme", ["float32", "int8"])
@pytest.mark.parametrize(
    ("tensor", "layer"), [("second", "second"), ("hidden", "hidden")], ids=["conv", "dense"]
)
@pytest.mark.parametrize(
    "change", [np.negative, np.zeros_like, lambda w: w[::-1]], ids=["negated", "zeroed", "swapped"]
)
def test_damaged_weights_are_refused_and_found(net, files, proof, damage, scheme, tensor, layer, change):
    content = damage(files[scheme], f"{tensor}_1/{'convolution' if tensor == 'second' else 'MatMul'}", change)
    parity = litert.check_parity(net, content, proof, scheme)
    assert not parity.passed
    assert "error of its outputs" in parity.reason
    assert layer in parity.first_diverging_layer.split(" + ")
    assert f"The first layer that differs is {parity.first_diverging_layer}." in parity.reason


def test_nan_weights_in_a_file_are_refused(net, files, proof, damage):
    content = damage(files["float32"], "hidden_1/MatMul", lambda w: np.full_like(w, np.nan))
    parity = litert.check_parity(net, content, proof)
    assert not parity.passed
    assert "NaN or infinite outputs, the Keras model does not" in parity.reason
    assert parity.first_diverging_layer == "hidden"


def test_a_model_that_gives_nan_is_refused(make_net, files, proof):
    model = make_net()
    kernel = model.get_layer("second").kernel
    kernel.assign(np.full(kernel.shape, np.nan, np.float32))
    parity = litert.check_parity(model, files["float32"], proof)
    assert "The Keras model itself gives NaN" in parity.reason


def test_another_models_file_is_refused(make_net, files, proof):
    keras.utils.set_random_seed(7)
    parity = litert.check_parity(make_net(), files["float32"], proof)
    assert not parity.passed
    assert parity.first_diverging_layer.startswith("stem")


def test_swapped_classes_are_refused(net, files, proof):
    layer = net.get_layer("scores")
    before = layer.get_weights()
    try:
        layer.set_weights([weight[..., ::-1] for weight in before])
        parity = litert.check_parity(net, files["int8"], proof, "int8")
    finally:
        layer.set_weights(before)
    assert not parity.passed
    assert parity.decided_agreement < 0.5
    assert parity.first_diverging_layer == "scores"


def test_a_layer_that_exports_otherwise_than_it_runs_is_found(proof):
    class Moody(layers.Layer):
        def call(self, inputs):
            import tensorflow as tf

            return inputs if tf.executing_eagerly() else inputs * 1.7 + 0.5

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu", name="good"),
         layers.MaxPooling2D(name="pool"), Moody(name="moody"), layers.Flatten(), layers.Dense(10)]
    )  # fmt: skip
    parity = litert.check_parity(model, litert.convert(model), proof)
    assert not parity.passed
    assert "moody" in parity.first_diverging_layer.split(" + ")


@pytest.mark.parametrize("operation", [keras.ops.sin, keras.ops.floor], ids=["sin", "floor"])
def test_a_float_island_in_an_int8_file_is_refused(operation, pictures, proof):
    class Island(layers.Layer):
        def call(self, inputs):
            return operation(inputs * 3)

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3),
            Island(name="island"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    parity = litert.check_parity(model, litert.convert(model, "int8", pictures), proof, "int8")
    assert not parity.passed
    assert any("island" in name for name in parity.float_tensors)
    assert "must not compute in float32" in parity.reason
    assert "island" in parity.reason


def test_float_weights_under_an_int8_name_are_too_large(net, files, proof):
    parity = litert.check_parity(net, files["float32"], proof, "dynamic-int8")
    assert not parity.passed
    assert "at most" in parity.reason
    assert "hidden" in parity.reason


def test_a_dead_model_passes_when_the_file_is_as_dead(make_net, proof):
    model = make_net()
    model.get_layer("scores").kernel.assign(np.zeros((64, 10), np.float32))
    assert litert.check_parity(model, litert.convert(model), proof).passed


def test_a_shared_layer_and_a_softmax_do_not_disturb(proof, pictures):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    twice = layers.Conv2D(1, 3, padding="same", name="twice")
    hidden = layers.Flatten()(twice(twice(inputs)))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(hidden))
    for scheme in ("float32", "float16", "dynamic-int8", "int8", "int8-float-io"):
        parity = litert.check_parity(model, litert.convert(model, scheme, pictures), proof, scheme)
        assert parity.reason is None


STRICT = dataclasses.replace(litert.SCHEMES["int8"], name="strict", error_limit=1e-4)


def test_an_error_beyond_the_limit_passes_where_each_weight_is_the_models_own(net, files, proof):
    """As in a deep network, whose layers add up their rounding."""
    parity = litert.check_parity(net, files["int8"], proof, STRICT)
    assert parity.mean_error > STRICT.error_limit * parity.spread
    assert parity.weights_proved
    assert parity.passed
    assert parity.error_limit == pytest.approx(DEEP_LIMIT * parity.spread)
    assert not litert.check_parity(net, files["int8"], proof, "int8").weights_proved


def _without_one_channel(weights):
    """Zeroes the first output channel of a kernel as LiteRT has it."""
    return np.concatenate([np.zeros_like(weights[:1]), weights[1:]])


def test_one_lost_channel_does_not_hide_behind_the_wider_limit(net, files, proof, damage):
    content = damage(files["int8"], "second_1/convolution", _without_one_channel)
    parity = litert.check_parity(net, content, proof, STRICT)
    assert parity.mean_error < DEEP_LIMIT * parity.spread
    assert not parity.passed
    assert "second" in parity.reason
    assert "is not the model's, rounded" in parity.reason


def test_files_that_cannot_be_compared_raise(net, files, proof):
    with pytest.raises(ConversionError, match="at least one image"):
        litert.check_parity(net, files["float32"], proof[:0])
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ConversionError, match="10 scores an image and the model 3"):
        litert.check_parity(model, files["float32"], proof)
