from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import litert
from trimtab.errors import ConversionError


def test_weights_are_counted_once_each():
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10)]
    )
    for variable in model.weights:  # no number is 0 and no two constants are equal
        variable.assign(np.random.default_rng(0).normal(size=variable.shape) + 10)
    kernel = model.layers[-1].kernel.numpy()
    kernel[:100] = 0
    model.layers[-1].kernel.assign(kernel)
    summary = litert.inspect(litert.convert(model))
    assert summary.parameters == model.count_params()
    assert summary.non_zeros == model.count_params() - 1000
    assert 0 <= summary.weight_bytes - 4 * model.count_params() < 64
    assert summary.ops == {"CONV_2D": 1, "FULLY_CONNECTED": 1, "RESHAPE": 1}


def test_int8_weights_that_mean_zero_are_counted(make_net, pictures):
    model = make_net()
    kernel = model.get_layer("hidden").kernel
    kernel.assign(np.where(np.arange(kernel.shape[0])[:, None] % 4, 0, kernel.numpy()))
    summary = litert.inspect(litert.convert(model, "int8", pictures))
    (hidden,) = [t for t in summary.tensors if t.constant and t.shape == (64, 144)]
    assert hidden.dtype == "int8"
    assert hidden.bytes == hidden.elements == 64 * 144
    assert 0.24 < hidden.non_zeros / hidden.elements < 0.251


def test_input_and_output_quantization(files):
    summary = litert.inspect(files["int8"])
    model = litert.LiteRTModel(files["int8"])
    assert (summary.input.scale, summary.input.zero_point) == pytest.approx(model.input_quantization)
    assert (summary.output.scale, summary.output.zero_point) == pytest.approx(model.output_quantization)
    assert summary.input.shape == (1, 8, 8, 1)
    assert summary.output.shape == (1, 10)
    assert litert.inspect(files["float32"]).input.scale is None


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_a_softmax_at_the_end_is_seen(scheme, pictures):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10), layers.Softmax()])
    assert litert.inspect(litert.convert(model, scheme, pictures)).ends_in_softmax


def test_a_file_with_two_outputs_is_refused():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 1), tf.float32)])
    def two(images):
        return {"a": images + 1, "b": images * 2}

    content = tf.lite.TFLiteConverter.from_concrete_functions([two.get_concrete_function()]).convert()
    with pytest.raises(ConversionError, match="1 inputs and 2 outputs"):
        litert.inspect(content)
    with pytest.raises(ConversionError, match="1 inputs and 2 outputs"):
        litert.LiteRTModel(content)
