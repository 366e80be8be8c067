"""How factors and offsets pass through layers that treat each channel alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.models._kinds import computes_like, nearest_kind
from trimtab.quantization.folding._affine import Affine, Array
from trimtab.quantization.folding._kernels import channel_axis
from trimtab.quantization.folding._network import Step, Tensor

__all__ = ["backward", "forward"]

_Passage = Callable[[Step, Affine, bool], Affine | None]


def backward(step: Step, affine: Affine) -> list[tuple[Tensor, Affine]] | None:
    """Says what would have to happen to the inputs of a call instead of to its output.

    Returns:
        Tensors with what happens to each; others stay as they are. None: the call does not let it pass.
    """
    kind = nearest_kind(type(step.layer), _BACKWARD)
    if kind is not None and computes_like(type(step.layer), kind):
        return _BACKWARD[kind](step, affine)
    passed = _passed(step, affine, False)
    return None if passed is None else [(step.input, passed)]


def forward(step: Step, affine: Affine, tensor: Tensor) -> Affine | None:
    """Says what would have to happen to the output of a call instead of to one of its inputs, or None."""
    layer = step.layer
    if step.inputs.count(tensor) != 1:
        return None
    if isinstance(layer, keras.layers.Multiply):
        return _multiplied(step, affine, tensor)
    return _passed(step, affine, True)


def _passed(step: Step, affine: Affine, onward: bool) -> Affine | None:
    """Takes it through a call of one input and one output."""
    kind = nearest_kind(type(step.layer), _THROUGH)
    if kind is None or not computes_like(type(step.layer), kind):
        return None
    if len(step.inputs) != 1 or len(step.outputs) != 1:
        return None
    return _THROUGH[kind](step, affine, onward)


def _unchanged(step: Step, affine: Affine, onward: bool) -> Affine:  # noqa: ARG001
    """Dropout and what gives each number, or means whose shares sum to one."""
    return affine


def _maximum(step: Step, affine: Affine, onward: bool) -> Affine | None:  # noqa: ARG001
    """What is larger has to stay larger."""
    return affine if affine.keeps_order else None


def _padded(step: Step, affine: Affine, onward: bool) -> Affine | None:  # noqa: ARG001
    """The zeros around an image have to stay zeros."""
    return None if affine.shifts else affine


def _activation(step: Step, affine: Affine, onward: bool) -> Affine | None:  # noqa: ARG001
    """Only the one that does nothing."""
    return affine if step.layer.activation is keras.activations.linear else None


def _scaled(step: Step, affine: Affine, onward: bool) -> Affine | None:  # noqa: ARG001
    """Interpolation between neighbours: their shares sum to one."""
    return affine if getattr(step.layer, "interpolation", "nearest") in ("nearest", "bilinear") else None


def _over_all_pixels(step: Step, affine: Affine, onward: bool) -> Affine:
    """One number is left of each channel."""
    if affine.scalar:
        return affine
    tensor = step.output if onward else step.input
    rank = len(tensor.shape)
    return affine.along(channel_axis(step.layer, rank) if rank > 2 else 1)


def _maximum_of_all(step: Step, affine: Affine, onward: bool) -> Affine | None:
    """As global pooling, and what is larger has to stay larger."""
    return _over_all_pixels(step, affine, onward) if affine.keeps_order else None


def _moved(step: Step, affine: Affine, onward: bool) -> Affine | None:
    """Reshape and Flatten: numbers of each channel may become numbers of each place, hardly the other way."""
    if affine.scalar:
        return affine
    source: Any = step.input.shape[1:]
    target: Any = step.output.shape[1:]
    if getattr(step.layer, "data_format", None) == "channels_first":
        return None
    if not onward:
        source, target = target, source
    if source == target:
        return affine
    if affine.axis == len(source) and source and target and source[-1] == target[-1]:
        return affine.along(len(target))
    if None in source or None in target:
        return None

    def spread(numbers: Array) -> Array | None:
        shape = [1] * len(source)
        shape[affine.axis - 1] = -1
        moved: Array = np.broadcast_to(numbers.reshape(shape), source).reshape(target)
        last = moved.reshape(-1, moved.shape[-1])
        return last[0] if np.array_equal(last, np.broadcast_to(last[0], last.shape)) else None

    scale, offset = spread(affine.scale), spread(affine.offset)
    return None if scale is None or offset is None else Affine(scale, offset, len(target))


def _permuted(step: Step, affine: Affine, onward: bool) -> Affine:
    """Axes change places."""
    if affine.scalar:
        return affine
    order = (0, *step.layer.dims)
    return affine.along(order.index(affine.axis) if onward else order[affine.axis])


def _multiplied(step: Step, affine: Affine, tensor: Tensor) -> Affine | None:
    """A factor of one of the tensors that are multiplied is one of the product."""
    if affine.shifts:
        return None
    if not affine.scalar and len(tensor.shape) != len(step.output.shape):
        return None
    if not affine.scalar and tensor.shape[affine.axis] != step.output.shape[affine.axis]:
        return Affine(affine.scale.reshape(()), affine.offset.reshape(())) if affine.scale.size == 1 else None
    return affine


def _added(step: Step, affine: Affine) -> list[tuple[Tensor, Affine]] | None:
    """Scales all that is added, and shifts the first of it."""
    if any(tensor.shape != step.output.shape for tensor in step.inputs):
        return None
    first, *others = step.inputs
    return [(first, affine), *((other, affine.unshifted()) for other in others)]


def _averaged(step: Step, affine: Affine) -> list[tuple[Tensor, Affine]] | None:
    """Scales and shifts each."""
    if any(tensor.shape != step.output.shape for tensor in step.inputs):
        return None
    return [(tensor, affine) for tensor in step.inputs]


def _side_by_side(step: Step, affine: Affine) -> list[tuple[Tensor, Affine]] | None:
    """Gives each tensor the numbers of its channels."""
    rank = len(step.output.shape)
    if affine.scalar or int(step.layer.axis) % rank != affine.axis:
        return [(tensor, affine) for tensor in step.inputs]
    sizes: list[Any] = [tensor.shape[affine.axis] for tensor in step.inputs]
    ends = np.cumsum(sizes)[:-1]
    pieces = zip(np.split(affine.scale, ends), np.split(affine.offset, ends), strict=True)
    return [
        (tensor, Affine(scale, offset, affine.axis))
        for tensor, (scale, offset) in zip(step.inputs, pieces, strict=True)
    ]


_layers = keras.layers
_BACKWARD: dict[type, Callable[[Step, Affine], list[tuple[Tensor, Affine]] | None]] = {
    _layers.Add: _added,
    _layers.Average: _averaged,
    _layers.Concatenate: _side_by_side,
}
# Noise with a size or shape of its own (GaussianNoise, AlphaDropout) is not among them.
_THROUGH: dict[type, _Passage] = {
    _layers.Activation: _activation,
    _layers.Flatten: _moved,
    _layers.Permute: _permuted,
    _layers.Reshape: _moved,
    _keras_internals.application_layers()["StochasticDepth"]: _unchanged,
    **dict.fromkeys((_layers.ActivityRegularization, _layers.Dropout, _layers.GaussianDropout), _unchanged),
    **dict.fromkeys((_layers.Identity, _layers.AveragePooling1D, _layers.AveragePooling2D), _unchanged),
    **dict.fromkeys((_layers.AveragePooling3D, _layers.Cropping1D, _layers.Cropping2D), _unchanged),
    **dict.fromkeys((_layers.Cropping3D, _layers.SpatialDropout1D, _layers.SpatialDropout2D), _unchanged),
    **dict.fromkeys((_layers.SpatialDropout3D,), _unchanged),
    **dict.fromkeys((_layers.UpSampling1D, _layers.UpSampling2D, _layers.UpSampling3D), _scaled),
    **dict.fromkeys((_layers.MaxPooling1D, _layers.MaxPooling2D, _layers.MaxPooling3D), _maximum),
    **dict.fromkeys((_layers.ZeroPadding1D, _layers.ZeroPadding2D, _layers.ZeroPadding3D), _padded),
    **dict.fromkeys(
        (
            _layers.GlobalAveragePooling1D,
            _layers.GlobalAveragePooling2D,
            _layers.GlobalAveragePooling3D,
        ),
        _over_all_pixels,
    ),
    **dict.fromkeys(
        (_layers.GlobalMaxPooling1D, _layers.GlobalMaxPooling2D, _layers.GlobalMaxPooling3D),
        _maximum_of_all,
    ),
}
