"""Factors and offsets taken into the kernel and bias of the layer before or after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from trimtab.models._kinds import computes_like, nearest_kind
from trimtab.quantization.folding._affine import Affine, Array, values
from trimtab.quantization.folding._network import Part, Step

__all__ = ["as_keras_class", "channel_axis", "has_kernel", "scale_inputs", "scale_outputs", "takes_inputs"]


@dataclass(frozen=True)
class _Kind:
    """How a class of layers uses its kernel.

    Args:
        outputs: returns a kernel whose outputs are scaled: (kernel, factor of each output channel).
        inputs: returns a kernel times factors of its input channels: (kernel, factor of each one, filters).
        sums: returns what each output gains when so much is added to each input channel: (kernel, offsets).
    """

    outputs: Callable[[Array, Array], Array]
    inputs: Callable[[Array, Array], Array]
    sums: Callable[[Array, Array], Array] | None


def _grouped(kernel: Array, inputs: Array) -> Array:
    """Spreads numbers of the input channels over the kernel of a convolution, perhaps one in groups.

    Returns:
        Array (input channels of a group, filters): what each place of the kernel meets.
    """
    groups = len(inputs) // kernel.shape[-2]
    rows = inputs.reshape(groups, kernel.shape[-2])
    return np.repeat(rows, kernel.shape[-1] // groups, axis=0).T


def _summed(weighted: Array) -> Array:
    """Sums over all but the last axis."""
    return np.asarray(weighted.reshape(-1, weighted.shape[-1]).sum(axis=0))


_CONVOLUTION = _Kind(
    outputs=lambda kernel, factors: kernel * factors,
    inputs=lambda kernel, factors: kernel * _grouped(kernel, factors),
    sums=lambda kernel, offsets: _summed(kernel * _grouped(kernel, offsets)),
)
# The kernel has its filters before its inputs. Near the edge fewer places of it meet the image, so that what
# an offset adds there is not the same for all pixels.
_TRANSPOSED = _Kind(
    outputs=lambda kernel, factors: kernel * factors[:, None],
    inputs=lambda kernel, factors: kernel * factors,
    sums=None,
)
_DEPTHWISE = _Kind(
    outputs=lambda kernel, factors: kernel * factors.reshape(kernel.shape[-2:]),
    inputs=lambda kernel, factors: kernel * factors[:, None],
    sums=lambda kernel, offsets: _summed((kernel * offsets[:, None]).reshape(*kernel.shape[:-2], -1)),
)
_DENSE = _Kind(
    outputs=lambda kernel, factors: kernel * factors,
    inputs=lambda kernel, factors: kernel * factors[:, None],
    sums=lambda kernel, offsets: offsets @ kernel,
)
_KINDS: dict[type, _Kind] = {
    keras.layers.Conv1D: _CONVOLUTION,
    keras.layers.Conv2D: _CONVOLUTION,
    keras.layers.Conv3D: _CONVOLUTION,
    keras.layers.Conv1DTranspose: _TRANSPOSED,
    keras.layers.Conv2DTranspose: _TRANSPOSED,
    keras.layers.Conv3DTranspose: _TRANSPOSED,
    keras.layers.DepthwiseConv1D: _DEPTHWISE,
    keras.layers.DepthwiseConv2D: _DEPTHWISE,
    keras.layers.Dense: _DENSE,
}
_OF_KERNEL = ("regularizer", "constraint")


def has_kernel(part: Part) -> bool:
    """Says whether a layer is one whose kernel can take factors in; it is then made as Keras' own class."""
    layer = part.layer
    kind = nearest_kind(type(layer), _KINDS)
    if kind is None or not computes_like(type(layer), kind):
        return False
    if part.weights is None and not layer.built:
        return False
    return getattr(layer, "quantization_mode", None) is None and not getattr(layer, "lora_enabled", False)


def channel_axis(layer: Any, rank: int) -> int:
    """Returns the axis of the channels of what goes into a layer, counted from the front."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1


def takes_inputs(step: Step, affine: Affine) -> str | None:
    """Says why a layer could not compute with what comes in before it is scaled and shifted; None: it can."""
    layer, shape = step.layer, step.input.shape
    if not affine.scalar and affine.axis != channel_axis(layer, len(shape)):
        return f"{step.part.name!r} has its channels along another axis"
    if not affine.shifts:
        return None
    if _kind_of(step.part).sums is None:
        return f"what a shift adds to {step.part.name!r} differs at the edges"
    if _pads(layer, shape):
        return f"{step.part.name!r} pads with zeros, which would have to be shifted too"
    return None


def _pads(layer: Any, shape: Sequence[int | None]) -> bool:
    """Says whether a convolution adds zeros around images of this shape."""
    padding = getattr(layer, "padding", "valid")
    if padding != "same":
        return bool(padding != "valid")
    first = 2 if channel_axis(layer, len(shape)) == 1 else 1
    sizes = shape[first : first + len(layer.kernel_size)]
    for size, window, stride, dilation in zip(
        sizes, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    ):
        if window == 1:
            continue
        if size is None or (-(-size // stride) - 1) * stride + (window - 1) * dilation + 1 > size:
            return True
    return False


def scale_outputs(part: Part, affine: Affine) -> None:
    """Takes in what happens to each output channel of a layer."""
    weights = _changed(part)
    scale, offset = affine.vectors(len(weights["bias"]))
    weights["kernel"] = _kind_of(part).outputs(weights["kernel"], scale)
    weights["bias"] = weights["bias"] * scale + offset


def scale_inputs(part: Part, affine: Affine, channels: int) -> None:
    """Takes in what happens to each of the input channels of a layer; see `takes_inputs`."""
    weights, kind = _changed(part), _kind_of(part)
    scale, offset = affine.vectors(channels)
    if affine.shifts and kind.sums is not None:
        weights["bias"] = weights["bias"] + kind.sums(weights["kernel"], offset)
    weights["kernel"] = kind.inputs(weights["kernel"], scale)


def _kind_of(part: Part) -> _Kind:
    """Returns how a layer uses its kernel."""
    kind = nearest_kind(type(part.layer), _KINDS)
    return _KINDS[kind] if kind is not None else _CONVOLUTION


def as_keras_class(part: Part) -> None:
    """Lets a layer be made as the class of Keras that it computes as, whose config can be changed safely."""
    part.kind = part.kind or nearest_kind(type(part.layer), _KINDS)


def _changed(part: Part) -> dict[str, Array]:
    """Returns the weights of a layer that are to be changed, a bias among them."""
    layer = part.layer
    as_keras_class(part)
    if part.weights is None:
        part.weights = {"kernel": values(layer.kernel)}
        if layer.bias is not None:
            part.weights["bias"] = values(layer.bias)
    if "bias" not in part.weights:
        part.weights["bias"] = np.zeros(_filters(layer, part.weights["kernel"]))
        part.config["use_bias"] = True
    # What pulls at a kernel was meant for the one of before.
    for name in ("kernel", "depthwise", "bias"):
        for pull in _OF_KERNEL:
            if getattr(layer, f"{name}_{pull}", None) is not None:
                part.config[f"{name}_{pull}"] = None
    return part.weights


def _filters(layer: Any, kernel: Array) -> int:
    """Counts the output channels of a layer."""
    for attribute in ("filters", "units"):
        if getattr(layer, attribute, None) is not None:
            return int(getattr(layer, attribute))
    return int(np.prod(kernel.shape[-2:]))
