"""Multiply-accumulates: what one image costs, layer by layer."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError

__all__ = ["LayerCost", "layer_macs", "macs", "macs_per_layer"]

_Shape = tuple[int | None, ...]

# Operations without weights (`keras.ops`) that multiply and add all the same.
_PRODUCTS = {
    "Conv",
    "ConvTranspose",
    "DepthwiseConv",
    "DotProductAttention",
    "Dot",
    "Einsum",
    "Inner",
    "Matmul",
    "SeparableConv",
    "Tensordot",
}


@dataclass(frozen=True)
class LayerCost:
    """What one call of one layer costs for one image.

    Attributes:
        name: the layer's name, after the names of the models it is nested in: ``"base/conv_1"``.
        kind: its class, such as ``"Conv2D"``.
        output_shape: shape of its (first) output, without the batch; None where it cannot be told.
        parameters: how many weights it has; 0 from the second call on, where a layer is shared.
        macs: multiply-accumulates; None where they cannot be told.
        reason: why they cannot be told; empty where they can.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...] | None
    parameters: int
    macs: int | None
    reason: str = ""


def macs(model: keras.Model, image_shape: Sequence[int] | None = None) -> int | None:
    """Counts the multiply-accumulates that one image costs.

    Counted are the products of convolutions and dense layers, as in published numbers; biases, batch
    normalisation (which a converter folds), activations, pooling and additions are not. A layer that is
    called twice counts twice.

    Args:
        model: a built model.
        image_shape: (height, width, channels), for a model whose input leaves its size open.

    Returns:
        The count, or None where a layer's cannot be told; `macs_per_layer` names the layer and the reason.
    """
    total = 0
    for cost in macs_per_layer(model, image_shape):
        if cost.macs is None:
            return None
        total += cost.macs
    return total


def macs_per_layer(model: keras.Model, image_shape: Sequence[int] | None = None) -> tuple[LayerCost, ...]:
    """Lists what each layer costs for one image, in the order in which they are called.

    Args:
        model: a built model.
        image_shape: (height, width, channels), for a model whose input leaves its size open.

    Raises:
        ModelError: the model does not take such images.
    """
    if _keras_internals.graph_of(model) is None:
        reason = "the graph of a class with its own call method cannot be read"
        return tuple(
            LayerCost(
                layer.name, type(layer).__name__, None, _size(layer), None if _size(layer) else 0, reason
            )
            for layer in model.layers
        )
    costs: list[LayerCost] = []
    seen: set[int] = set()

    def visit(call: _keras_internals.Call) -> None:
        costs.append(_cost(call, first=id(call.operation) not in seen))
        seen.add(id(call.operation))

    try:
        _keras_internals.walk_graph(model, _symbols(model, image_shape), visit)
    except (ValueError, TypeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"The model {model.name!r} cannot be followed for such images ({first}).") from error
    return tuple(costs)


def _symbols(model: keras.Model, image_shape: Sequence[int] | None) -> list[Any]:
    """Returns one symbolic image for each input."""
    symbols = []
    for tensor in model.inputs:
        shape = tuple(tensor.shape[1:])
        if image_shape is not None and len(model.inputs) == 1:
            _check_compatible(model.name, shape, tuple(image_shape))
            shape = tuple(image_shape)
        symbols.append(keras.KerasTensor((1, *shape), dtype=tensor.dtype))
    return symbols


def _check_compatible(name: str, taken: _Shape, given: _Shape) -> None:
    """Refuses images that the model does not take: the rules of shapes alone would not notice."""
    if len(taken) != len(given) or any(
        size not in (None, there) for size, there in zip(taken, given, strict=True)
    ):
        raise ModelError(f"The model {name!r} takes images of shape {taken}. Received: image_shape={given}.")


def _cost(call: _keras_internals.Call, *, first: bool) -> LayerCost:
    """Works out what one call costs."""
    layer, kind = call.operation, type(call.operation).__name__
    shape = call.outputs[0][1:] if call.outputs else None
    size = _size(layer) if first else 0
    count: int | None
    try:
        count = layer_macs(layer, call.inputs[0], call.outputs[0])
        reason = "" if count is not None else f"no rule for {kind}"
    except (TypeError, IndexError):  # a None among the sizes
        count, reason = None, "its input leaves the image size open"
    return LayerCost("/".join(call.path), kind, shape, size, count, reason)


def _size(layer: Any) -> int:
    """Counts a layer's weights; an operation without a class of weights has none."""
    return sum(math.prod(weight.shape) for weight in getattr(layer, "weights", ()))


@functools.singledispatch
def layer_macs(layer: Any, inputs: _Shape, outputs: _Shape) -> int | None:  # noqa: ARG001
    """Counts the multiply-accumulates of one call of a layer, from its first input's and output's shape.

    Other layers are taught with ``layer_macs.register``. What has no weights costs nothing, unless it is a
    product of tensors; what has weights and no rule is unknown (None).
    """
    return None if _size(layer) or type(layer).__name__ in _PRODUCTS else 0


def _places(layer: Any, shape: _Shape) -> int:
    """Counts the places (pixels) of a feature map."""
    sizes: Any = shape[1:-1] if layer.data_format == "channels_last" else shape[2:]
    return int(math.prod(sizes))


def _channels(layer: Any, shape: _Shape) -> int:
    """Returns the channels of a feature map."""
    channels: Any = shape[-1] if layer.data_format == "channels_last" else shape[1]
    return int(channels)


def _window(layer: Any) -> int:
    """Counts the places under a kernel."""
    return math.prod(int(size) for size in layer.kernel_size)


@layer_macs.register(keras.layers.Conv1D)
@layer_macs.register(keras.layers.Conv2D)
@layer_macs.register(keras.layers.Conv3D)
def _convolution(layer: Any, inputs: _Shape, outputs: _Shape) -> int:
    window = _window(layer) * (_channels(layer, inputs) // int(layer.groups))
    return _places(layer, outputs) * window * int(layer.filters)


@layer_macs.register(keras.layers.Conv1DTranspose)
@layer_macs.register(keras.layers.Conv2DTranspose)
@layer_macs.register(keras.layers.Conv3DTranspose)
def _transposed(layer: Any, inputs: _Shape, outputs: _Shape) -> int:  # noqa: ARG001
    window = _window(layer) * _channels(layer, inputs)
    return _places(layer, inputs) * window * int(layer.filters)


@layer_macs.register(keras.layers.DepthwiseConv1D)
@layer_macs.register(keras.layers.DepthwiseConv2D)
def _depthwise(layer: Any, inputs: _Shape, outputs: _Shape) -> int:  # noqa: ARG001
    return _places(layer, outputs) * _window(layer) * _channels(layer, outputs)


@layer_macs.register(keras.layers.SeparableConv1D)
@layer_macs.register(keras.layers.SeparableConv2D)
def _separable(layer: Any, inputs: _Shape, outputs: _Shape) -> int:
    middle = _channels(layer, inputs) * int(layer.depth_multiplier)
    return _places(layer, outputs) * middle * (_window(layer) + int(layer.filters))


@layer_macs.register(keras.layers.Dense)
def _dense(layer: Any, inputs: _Shape, outputs: _Shape) -> int:  # noqa: ARG001
    sizes: Any = (inputs[-1], *outputs[1:])
    return int(math.prod(sizes))


def _elementwise(layer: Any, inputs: _Shape, outputs: _Shape) -> int:  # noqa: ARG001
    return 0


# These have weights, but scale and shift each number alone, or only look it up.
for _kind in (
    keras.layers.BatchNormalization,
    keras.layers.Embedding,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
    keras.layers.PReLU,
    keras.layers.RMSNormalization,
    _keras_internals.application_layers()["LayerScale"],  # of ConvNeXt
):
    layer_macs.register(_kind, _elementwise)
