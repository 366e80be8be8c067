"""Models that carry their ranges, made here by hand: whose layers they are makes no difference."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab import litert
from trimtab.errors import ConfigError, ConversionError, ModelError


def _fake(inputs, low, high, bits=8, narrow=False):
    return keras.quantizers.fake_quant_with_min_max_vars(
        inputs, low, high, num_bits=bits, narrow_range=narrow
    )


class Ranged(layers.Layer):
    """Rounds what passes to 8 bits in a fixed range."""

    carries_ranges = True

    def build(self, shape):
        self.low = self.add_weight(shape=(), initializer="zeros", trainable=False, name="low")
        self.high = self.add_weight(shape=(), initializer="ones", trainable=False, name="high")

    def call(self, inputs):
        return _fake(inputs, self.low, self.high)


class RangedDense(layers.Dense):
    """A dense layer with a rounded kernel."""

    carries_ranges = True
    bits = 8

    def call(self, inputs):
        most = keras.ops.max(keras.ops.abs(self.kernel))
        kernel = _fake(self.kernel, -most, most, self.bits, narrow=True)
        return keras.ops.matmul(inputs, kernel) + self.bias


class RangedDense4(RangedDense):
    """The same with 4 bits."""

    bits = 4


def _aware(dense=RangedDense, between=Ranged, last=Ranged, kept=None):
    """Input, range, hidden layer, range, scores, range."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    hidden = layers.Flatten(name="flat")(Ranged(name="in_range")(inputs))
    hidden = layers.ReLU(name="relu")(dense(32, name="hidden")(hidden))
    hidden = between(name="hidden_range")(hidden)
    scores = last(name="scores_range")((kept or dense)(10, name="scores")(hidden))
    model = keras.Model(inputs, scores, name="aware")
    for name, ends in (("hidden_range", (0.0, 2.0)), ("scores_range", (-2.0, 2.0))):
        layer = model.get_layer(name)
        for variable, end in zip(layer.weights, ends, strict=False):
            variable.assign(end)
    return model


@pytest.fixture(scope="module")
def aware():
    """A model with ranges for 8 bits."""
    return _aware()


def test_it_is_known_by_its_layers(aware, net):
    assert litert.carries_ranges(aware)
    assert litert.carries_ranges(keras.Sequential([keras.Input((8, 8, 1)), aware]))
    assert not litert.carries_ranges(net)


@pytest.mark.parametrize("scheme", ["int8", "int8-float-io"])
def test_it_converts_to_integers_without_images(aware, proof, scheme):
    content = litert.convert(aware, scheme)
    summary = litert.inspect(content)
    assert summary.input.dtype == summary.output.dtype == litert.scheme(scheme).io
    assert len(summary.float_tensors) == (0 if scheme == "int8" else 2)
    parity = litert.check_parity(aware, content, proof, scheme)
    assert parity.passed
    assert parity.top1_agreement > 0.99
    assert parity.max_error <= 4 / 255 * 1.01  # one step of the scores


def test_four_bits_are_packed(proof):
    model = _aware(RangedDense4)
    content = litert.convert(model, "int4")
    kernels = [tensor for tensor in litert.inspect(content).tensors if tensor.dtype == "int4"]
    assert [tensor.bytes for tensor in kernels] == [64 * 32 // 2, 32 * 10 // 2]
    assert litert.check_parity(model, content, proof, "int4").passed
    with pytest.raises(ConfigError, match=r"weights of 4 bits. Received: scheme='int8'. Choose 'int4'"):
        litert.convert(model, "int8")


@pytest.mark.parametrize("scheme", ["float32", "dynamic-int8", "int16x8", "dynamic-int4"])
def test_other_schemes_are_refused(aware, scheme):
    with pytest.raises(ConfigError, match=rf"carries its ranges already.*Received: scheme='{scheme}'"):
        litert.convert(aware, scheme)


def test_eight_bits_are_not_four(aware):
    with pytest.raises(ConfigError, match=r"weights of 8 bits. Received: scheme='int4'. Choose 'int8'"):
        litert.convert(aware, "int4")


def test_a_missing_range_is_a_float_island_and_its_layer_is_named():
    with pytest.raises(ConversionError, match=r"compute in float32; the first is .*hidden") as caught:
        litert.convert(_aware(between=layers.Identity), "int8")
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_float_on_purpose_is_none(proof):
    model = _aware(kept=layers.Dense)
    before = model.get_layer("scores").get_weights()
    content = litert.convert(model, "int8")
    for was, now in zip(before, model.get_layer("scores").get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    kernels = {tensor.shape: tensor.dtype for tensor in litert.inspect(content).tensors if tensor.constant}
    assert (kernels[32, 64], kernels[10, 32]) == ("int8", "float32")
    parity = litert.check_parity(model, content, proof, "int8")
    assert parity.reason is None
    assert parity.float_tensors == ()
    assert parity.max_error <= 4 / 255 * 1.01


def test_an_operator_cannot_have_ranges_and_may_be_float(proof):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    hidden = keras.ops.sin(Ranged(name="in_range")(inputs))
    hidden = layers.Flatten(name="flat")(Ranged(name="sin_range")(hidden))
    model = keras.Model(inputs, Ranged(name="scores_range")(RangedDense(10, name="scores")(hidden)))
    content = litert.convert(model, "int8")
    assert "SIN" in litert.inspect(content).ops
    assert litert.check_parity(model, content, proof, "int8").float_tensors == ()


def test_ranges_that_are_no_numbers_are_refused():
    model = _aware()
    model.get_layer("hidden_range").high.assign(np.nan)
    with pytest.raises(ModelError, match=r"range .*hidden_range/high' of model 'aware' is NaN"):
        litert.convert(model, "int8")
