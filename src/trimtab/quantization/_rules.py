"""The rules of Keras' own layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from trimtab.quantization._register import Rule, register
from trimtab.quantization.layers import (
    QuantizedAdd,
    QuantizedAveragePooling2D,
    QuantizedConv1D,
    QuantizedConv2D,
    QuantizedConv2DTranspose,
    QuantizedDense,
    QuantizedDepthwiseConv2D,
    QuantizedGlobalAveragePooling2D,
    QuantizedHardSigmoid,
    QuantizedHardSwish,
    QuantizedLeakyReLU,
    QuantizedLoneReLU,
    QuantizedMultiply,
    QuantizedReLU,
    QuantizedSubtract,
    QuantizedSwish,
)
from trimtab.quantization.layers._activations import GATE

__all__: list[str] = []

_SIGNED_GATE = (-1.0, 127 / 128)
"""The range of a tanh in LiteRT: steps of 1/128 around 0."""

_SAME = Rule(output="same")
_OWN = Rule()


def _of_class(kind: type) -> Callable[[Any], Any]:
    """Makes a layer of another class with the same arguments, as far as both have them."""

    def make(layer: Any) -> Any:
        config = layer.get_config()
        if "activation" in config:
            config["activation"] = None  # folding has made a layer of it
        return kind.from_config(config)  # type: ignore[attr-defined]

    return make


def _plain_of_class(kind: type) -> Callable[[Any], Any]:
    """Makes a layer of a class that has no arguments but the name."""
    return lambda layer: kind(name=layer.name, dtype=layer.dtype)


def _kernel_and_bias(old: Any, new: Any) -> None:
    """Hands kernel and bias on."""
    new.kernel.assign(old.kernel)
    if old.bias is not None:
        new.bias.assign(old.bias)


def _with_kernel(kind: type) -> Callable[[Any], Rule | str]:
    """Returns the rule of layers with a kernel."""
    rule = Rule(fuses=True, aware=_of_class(kind), weights=_kernel_and_bias)

    def tell(layer: Any) -> Rule | str:
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return "its channels come first, which LiteRT's kernels do not take"
        if getattr(layer, "lora_enabled", False):
            return "it has low-rank adapters (LoRA); merge them first"
        if getattr(layer, "quantization_mode", None) is not None:
            return f"it is quantized already (Keras' {layer.quantization_mode!r})"
        if keras.activations.serialize(layer.activation) != "linear":
            return "it has an activation that cannot be a layer of its own"
        return rule

    return tell


register(keras.layers.Conv1D, _with_kernel(QuantizedConv1D))
register(keras.layers.Conv2D, _with_kernel(QuantizedConv2D))
register(keras.layers.Conv2DTranspose, _with_kernel(QuantizedConv2DTranspose))
register(keras.layers.DepthwiseConv2D, _with_kernel(QuantizedDepthwiseConv2D))
register(keras.layers.Dense, _with_kernel(QuantizedDense))


def _leaky(slope: float) -> Rule:
    """Returns the rule of a ReLU with a slope."""
    return Rule(aware=lambda layer: QuantizedLeakyReLU(slope, name=layer.name, dtype=layer.dtype))


def _rectified(most: float | None) -> Rule:
    """Returns the rule of ReLU, with or without a largest value."""
    return Rule(
        output="activation",
        pooled=lambda layer: QuantizedLeakyReLU(most=most, name=layer.name, dtype=layer.dtype),
        alone=lambda layer: QuantizedLoneReLU(most, name=layer.name, dtype=layer.dtype),
    )


_RELU, _RELU6 = _rectified(None), _rectified(6.0)
_ACTIVATIONS: dict[str, Rule] = {
    "linear": _SAME,
    "relu": _RELU,
    "relu6": _RELU6,
    "leaky_relu": _leaky(0.2),
    "gelu": _OWN,
    "sigmoid": Rule(output="fixed", fixed=GATE),
    "softmax": Rule(output="fixed", fixed=GATE),
    "tanh": Rule(output="fixed", fixed=_SIGNED_GATE),
    "silu": Rule(aware=_plain_of_class(QuantizedSwish)),
    "hard_silu": Rule(aware=_plain_of_class(QuantizedHardSwish)),
    "hard_sigmoid": Rule(output="fixed", fixed=(0.0, 1.0), aware=_plain_of_class(QuantizedHardSigmoid)),
}


def _activation(layer: Any) -> Rule | str:
    """Returns the rule of an Activation layer, by its function."""
    name = keras.activations.serialize(layer.activation)
    if isinstance(name, str) and name in _ACTIVATIONS:
        return _ACTIVATIONS[name]
    return f"LiteRT has no int8 kernel for the activation {getattr(layer.activation, '__name__', name)!r}"


def _relu(layer: Any) -> Rule | str:
    """ReLU and ReLU6; with a slope it is a leaky one."""
    if layer.threshold:
        return f"its threshold is {layer.threshold:g}, and LiteRT's is 0"
    if layer.max_value not in (None, 6.0):
        return f"its largest value is {layer.max_value:g}; LiteRT has kernels for none and for 6"
    if layer.negative_slope and layer.max_value is not None:
        return "it has a slope and a largest value, and LiteRT has no kernel for both"
    if layer.negative_slope:
        return _leaky(layer.negative_slope)
    return _RELU if layer.max_value is None else _RELU6


def _global_average(layer: Any) -> Rule | str:
    """Averages over the pixels, channels last."""
    if layer.data_format != "channels_last":
        return "its channels come first, which LiteRT's kernels do not take"
    return Rule(aware=_of_class(QuantizedGlobalAveragePooling2D))


def _softmax(layer: Any) -> Rule | str:
    """LiteRT's softmax goes along the last axis."""
    return (
        _ACTIVATIONS["softmax"] if layer.axis == -1 else f"its axis is {layer.axis!r}; LiteRT's is the last"
    )


register(keras.layers.Activation, _activation)
register(keras.layers.ReLU, _relu)
register(keras.layers.Softmax, _softmax)
register(keras.layers.LeakyReLU, lambda layer: _leaky(layer.negative_slope))

_MOVING = """
    Dropout SpatialDropout1D SpatialDropout2D GaussianDropout GaussianNoise Identity ActivityRegularization
    Flatten Reshape Permute RepeatVector ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D MaxPooling1D
    MaxPooling2D GlobalMaxPooling1D GlobalMaxPooling2D Concatenate Maximum Minimum
"""
for _kind in _MOVING.split():
    register(getattr(keras.layers, _kind), _SAME)
register(keras.layers.Add, Rule(fuses=True, aware=_of_class(QuantizedAdd)))
register(keras.layers.Subtract, Rule(fuses=True, aware=_of_class(QuantizedSubtract)))
register(keras.layers.Multiply, Rule(fuses=True, aware=_of_class(QuantizedMultiply)))
register(keras.layers.GlobalAveragePooling1D, _OWN)
register(keras.layers.GlobalAveragePooling2D, _global_average)
register(keras.layers.AveragePooling2D, Rule(output="same", aware=_of_class(QuantizedAveragePooling2D)))
register(QuantizedAveragePooling2D, _SAME)
register(QuantizedReLU, _SAME)
