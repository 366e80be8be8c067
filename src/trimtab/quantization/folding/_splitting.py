"""Layers that do two things at once as two layers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.models._kinds import computes_like
from trimtab.quantization.folding._activations import activation_layer, is_linear
from trimtab.quantization.folding._affine import Affine, values
from trimtab.quantization.folding._kernels import as_keras_class, has_kernel
from trimtab.quantization.folding._network import Network, Part, Step, Tensor

__all__ = ["split"]

_SEPARABLE = {
    keras.layers.SeparableConv1D: (keras.layers.DepthwiseConv1D, keras.layers.Conv1D),
    keras.layers.SeparableConv2D: (keras.layers.DepthwiseConv2D, keras.layers.Conv2D),
}


def split(network: Network) -> None:
    """Splits separable convolutions, scaled additions, and activations inside other layers off, in place."""
    for part in network.parts:
        for kind in _SEPARABLE:
            if isinstance(part.layer, kind):
                _separate(network, part, kind)
    custom_scale = _keras_internals.application_layers()["CustomScaleLayer"]
    for step in network:
        if type(step.layer) is custom_scale:
            _unscale(network, step)
    for part in network.parts:
        if has_kernel(part) and not is_linear(part.layer.activation):
            _without_activation(network, part)


def _separate(network: Network, part: Part, kind: type) -> None:
    """Makes a depthwise and a pointwise convolution of a separable one."""
    layer = part.layer
    if not computes_like(type(layer), kind) or not layer.built:
        network.kept[part.origin[0]] = "it computes in its own way"
        return
    first, second = _SEPARABLE[kind]
    every = {
        "data_format": layer.data_format,
        "dtype": layer.dtype_policy,
        "trainable": layer.trainable,
    }
    depthwise = first(
        layer.kernel_size,
        strides=layer.strides if first is keras.layers.DepthwiseConv2D else layer.strides[0],
        padding=layer.padding,
        depth_multiplier=layer.depth_multiplier,
        dilation_rate=layer.dilation_rate,
        use_bias=False,
        depthwise_initializer=layer.depthwise_initializer,
        depthwise_regularizer=layer.depthwise_regularizer,
        depthwise_constraint=layer.depthwise_constraint,
        name=f"{layer.name}_depthwise",
        **every,
    )
    pointwise = second(
        layer.filters,
        1,
        use_bias=layer.use_bias,
        activation=layer.activation,
        activity_regularizer=layer.activity_regularizer,
        kernel_initializer=layer.pointwise_initializer,
        kernel_regularizer=layer.pointwise_regularizer,
        kernel_constraint=layer.pointwise_constraint,
        bias_initializer=layer.bias_initializer,
        bias_regularizer=layer.bias_regularizer,
        bias_constraint=layer.bias_constraint,
        name=f"{layer.name}_pointwise",
        **every,
    )
    weights = {"kernel": values(layer.pointwise_kernel)}
    if layer.bias is not None:
        weights["bias"] = values(layer.bias)
    kernel = {"kernel": values(layer.depthwise_kernel)}
    before = Part(depthwise, depthwise.name, part.origin, first, weights=kernel)
    after = Part(pointwise, pointwise.name, part.origin, second, weights=weights)
    for step in network.calls(part):
        channels = int(kernel["kernel"].shape[-1] * kernel["kernel"].shape[-2])
        shape = list(step.output.shape)
        shape[1 if layer.data_format == "channels_first" else -1] = channels
        middle = Tensor(tuple(shape), step.output.dtype)
        network.insert(Step(before, step.args, step.kwargs, (middle,)), before=step)
        network.replace(step, after, middle)


def _unscale(network: Network, step: Step) -> None:
    """Makes a multiplication and an addition of ``x + scale * y``."""
    shortcut, branch = step.inputs
    number = np.asarray(step.layer.scale, np.float64)
    scaled = Tensor(branch.shape, branch.dtype)
    name = step.part.name
    affine = Affine(number, np.zeros(()))
    layer = keras.layers.Rescaling(float(number), name=f"{name}_scale", dtype=step.layer.dtype_policy)
    first = Part(layer, layer.name, step.part.origin)
    network.insert(Step(first, (branch,), {}, (scaled,), affine), before=step)
    add = keras.layers.Add(name=name, dtype=step.layer.dtype_policy)
    network.insert(
        Step(Part(add, name, step.part.origin), ([shortcut, scaled],), {}, step.outputs), after=step
    )
    network.drop(step)


def _without_activation(network: Network, part: Part) -> None:
    """Splits the activation of a layer off."""
    layer = part.layer
    word = getattr(layer.activation, "__name__", "activation")
    options: dict[str, Any] = {"name": f"{part.name}_{word}", "dtype": layer.dtype_policy}
    if getattr(layer, "activity_regularizer", None) is not None:
        options["activity_regularizer"] = layer.activity_regularizer
        part.config["activity_regularizer"] = None
    activation = activation_layer(layer.activation, **options)
    part.config["activation"] = "linear"
    as_keras_class(part)
    added = Part(activation, options["name"], part.origin)
    for step in network.calls(part):
        network.follow(step, added)
