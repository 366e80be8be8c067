"""Operators of `keras.ops` in a graph as the layers that do the same."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from trimtab.quantization.folding._affine import Affine, values
from trimtab.quantization.folding._network import Network, Part, Step, Tensor

__all__ = ["as_layers"]

_Options = dict[str, Any]
_Rule = Callable[[Step, _Options], "keras.Layer | Affine | None"]
"""Says what an operator does: a layer made with these options, or an affine map; None: neither."""

_RANK = 4  # of a batch of feature maps


def as_layers(network: Network) -> None:
    """Writes operators as layers, and notes which of them are affine maps of each channel, in place.

    What has no layer that does the same stays an operator, and is listed in `Network.kept`.
    """
    for step in network:
        operator = step.layer
        if isinstance(operator, keras.Layer) or not step.inputs:
            continue
        kind, path = type(operator).__name__, step.part.origin[0]
        if type(operator).__module__.split(".")[0] != "keras" or not _floats(step):
            network.kept[path] = f"there is no layer for the operator {kind}"
            continue
        options = {"name": step.part.name, "dtype": step.output.dtype}
        rule = _RULES.get(kind)
        found = rule(step, options) if rule is not None else None
        if isinstance(found, Affine):
            step.affine = found
            step.part = Part(operator, step.part.name, step.part.origin)
        elif found is None or not _fits(found, step):
            network.kept[path] = f"there is no layer for the operator {kind}, called like this"
        else:
            taken: Any = step.inputs[0] if len(step.inputs) == 1 else list(step.inputs)
            network.replace(step, Part(found, step.part.name, step.part.origin), taken)


def _floats(step: Step) -> bool:
    """Says whether a call takes and gives numbers with fractions only."""
    return all(tensor.dtype.startswith(("float", "bfloat")) for tensor in (*step.inputs, *step.outputs))


def _fits(layer: keras.Layer, step: Step) -> bool:
    """Says whether a layer gives the shape that an operator gave."""
    symbols = [keras.KerasTensor(tensor.shape, dtype=tensor.dtype) for tensor in step.inputs]
    try:
        given = layer.compute_output_spec(symbols[0] if len(symbols) == 1 else symbols)
    except (ValueError, TypeError):
        return False
    return tuple(given.shape) == step.output.shape and given.dtype == step.output.dtype


def _operands(step: Step) -> list[Any]:
    """Lists the two operands of an operator, however it was called."""
    named = [step.kwargs[name] for name in ("x1", "x2") if name in step.kwargs]
    return [*step.args, *named]


def _constant(value: Any, step: Step) -> np.ndarray | None:
    """Reads a constant: one number, or one for each place along the last axis; None for anything else."""
    if isinstance(value, Tensor):
        return None
    numbers = np.asarray(value, np.float64) if isinstance(value, float | int) else values(value)
    shape = step.output.shape
    if numbers.size == 1:
        return numbers.reshape(()) if numbers.ndim <= len(shape) else None
    if numbers.size != numbers.shape[-1] or numbers.ndim > len(shape) or numbers.size != shape[-1]:
        return None
    return numbers.reshape(-1)


def _affine(scale: Any, offset: Any, step: Step) -> Affine | None:
    """Makes an affine map along the last axis, if its tensor has all of it already."""
    if step.input.shape != step.output.shape:
        return None
    scale, offset = np.broadcast_arrays(np.asarray(scale, np.float64), np.asarray(offset, np.float64))
    return Affine(scale, offset, len(step.output.shape) - 1)


def _merged(kind: type) -> Callable[[Step, _Options], Any]:
    """Makes the rule of an operator of two tensors that a layer merges."""

    def rule(step: Step, options: _Options) -> Any:
        ranks = {len(tensor.shape) for tensor in step.inputs}
        batches = {tensor.shape[:1] for tensor in step.inputs}
        if len(step.inputs) < 2 or len(ranks) > 1 or len(batches) > 1:
            return None
        return kind(**options)

    return rule


def _arithmetic(kind: type | None, with_constant: Callable[[Any, bool], tuple[Any, Any] | None]) -> _Rule:
    """Makes the rule of an operator of two tensors, or of a tensor and a constant.

    Args:
        kind: the layer that merges two tensors; None: there is none.
        with_constant: scale and offset from the constant, and whether it comes first.
    """

    def rule(step: Step, options: _Options) -> Any:
        operands = _operands(step)
        if len(operands) != 2:
            return None
        if all(isinstance(one, Tensor) for one in operands):
            return _merged(kind)(step, options) if kind is not None else None
        first = not isinstance(operands[0], Tensor)
        number = _constant(operands[0 if first else 1], step)
        numbers = None if number is None else with_constant(number, first)
        return None if numbers is None else _affine(*numbers, step)

    return rule


def _activation(step: Step, options: _Options) -> Any:
    """An activation of the same name, such as Silu."""
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(step.layer).__name__).lower()
    return keras.layers.Activation({"exp": "exponential"}.get(word, word), **options)


def _clip(step: Step, options: _Options) -> Any:
    """Clipping from zero on is a ReLU with a ceiling."""
    least, most = step.layer.x_min, step.layer.x_max
    if not isinstance(least, int | float) or least != 0 or not isinstance(most, int | float) or most < 0:
        return None
    return keras.layers.ReLU(float(most), **options)


def _gelu(step: Step, options: _Options) -> Any:
    return None if step.layer.approximate else keras.layers.Activation("gelu", **options)


def _pooled(one: type, two: type) -> _Rule:
    """Makes the rule of a reduction over all pixels."""

    def rule(step: Step, options: _Options) -> Any:
        rank, axis = len(step.input.shape), step.layer.axis
        if axis is None or getattr(step.layer, "initial", None) is not None:
            return None
        axes = tuple(sorted(int(one) % rank for one in axis))
        kind = {3: one, 4: two}.get(rank)
        last, first = tuple(range(1, rank - 1)), tuple(range(2, rank))
        if kind is None or axes not in (last, first):
            return None
        order = "channels_last" if axes == last else "channels_first"
        return kind(data_format=order, keepdims=bool(step.layer.keepdims), **options)

    return rule


def _reshaped(step: Step, options: _Options) -> Any:
    """Any new shape in which the images of the batch stay apart."""
    before: Any = step.input.shape[1:]
    after: Any = step.output.shape[1:]
    if None in before or None in after or math.prod(before) != math.prod(after):
        return None
    return keras.layers.Reshape(after, **options)


def _permuted(step: Step, options: _Options) -> Any:
    axes = step.layer.axes
    if axes is None or axes[0] != 0:
        return None
    rank = len(step.input.shape)
    return keras.layers.Permute(tuple(int(axis) % rank for axis in axes[1:]), **options)


def _concatenated(step: Step, options: _Options) -> Any:
    flat = keras.tree.flatten((step.args, step.kwargs))
    if len(step.inputs) < 2 or any(not isinstance(one, Tensor) for one in flat):
        return None
    axis = int(step.layer.axis) % len(step.output.shape)
    return keras.layers.Concatenate(axis=axis, **options) if axis else None


def _zero_padded(step: Step, options: _Options) -> Any:
    """Zeros around images, channels last."""
    widths = [tuple(map(int, width)) for width in step.layer.pad_width]
    constant = step.kwargs.get("constant_values", step.args[1] if len(step.args) > 1 else None)
    if len(widths) != _RANK or step.layer.mode != "constant" or constant not in (None, 0, 0.0):
        return None
    if any(widths[0]) or any(widths[3]):
        return None
    return keras.layers.ZeroPadding2D(tuple(widths[1:3]), data_format="channels_last", **options)


def _window(kind: type) -> _Rule:
    """Makes the rule of a pooling of images."""

    def rule(step: Step, options: _Options) -> Any:
        operator = step.layer
        if len(step.input.shape) != _RANK:
            return None
        return kind(
            operator.pool_size,
            strides=operator.strides,
            padding=operator.padding,
            data_format=operator.data_format,
            **options,
        )

    return rule


_layers = keras.layers
_RULES: dict[str, _Rule] = {
    "Add": _arithmetic(_layers.Add, lambda c, first: (1.0, c)),  # noqa: ARG005
    "Subtract": _arithmetic(_layers.Subtract, lambda c, first: (-1.0, c) if first else (1.0, -c)),
    "Multiply": _arithmetic(_layers.Multiply, lambda c, first: (c, 0.0)),  # noqa: ARG005
    "Divide": _arithmetic(None, lambda c, first: None if first else (1 / c, 0.0)),
    "TrueDivide": _arithmetic(None, lambda c, first: None if first else (1 / c, 0.0)),
    "Negative": lambda step, options: _affine(-1.0, 0.0, step),  # noqa: ARG005
    "Maximum": _merged(_layers.Maximum),
    "Minimum": _merged(_layers.Minimum),
    "Relu": lambda step, options: _layers.ReLU(**options),  # noqa: ARG005
    "Relu6": lambda step, options: _layers.ReLU(6.0, **options),  # noqa: ARG005
    "LeakyRelu": lambda step, options: _layers.LeakyReLU(step.layer.negative_slope, **options),
    "Elu": lambda step, options: _layers.ELU(step.layer.alpha, **options),
    "Softmax": lambda step, options: _layers.Softmax(step.layer.axis, **options),
    "Clip": _clip,
    "Gelu": _gelu,
    **dict.fromkeys(
        ("Exp", "HardSigmoid", "HardSilu", "Selu", "Sigmoid", "Silu", "Softplus", "Softsign", "Tanh"),
        _activation,
    ),
    "Mean": _pooled(_layers.GlobalAveragePooling1D, _layers.GlobalAveragePooling2D),
    "Max": _pooled(_layers.GlobalMaxPooling1D, _layers.GlobalMaxPooling2D),
    **dict.fromkeys(("ExpandDims", "Reshape", "Squeeze"), _reshaped),
    "Transpose": _permuted,
    "Concatenate": _concatenated,
    "Pad": _zero_padded,
    "AveragePool": _window(_layers.AveragePooling2D),
    "MaxPool": _window(_layers.MaxPooling2D),
}
