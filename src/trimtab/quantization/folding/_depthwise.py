"""What is left of batch normalisation and the like as depthwise convolutions of one pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trimtab.quantization.folding._affine import Affine
from trimtab.quantization.folding._network import Network, Part, Step, Tensor

__all__ = ["as_depthwise"]

_LAYERS = {3: keras.layers.DepthwiseConv1D, 4: keras.layers.DepthwiseConv2D}


def as_depthwise(network: Network, left: Mapping[Part, str]) -> None:
    """Writes affine calls as layers that a converter quantizes: depthwise convolutions of one pixel.

    One factor and offset of vectors gets there through a reshape; one number for all of a tensor that is no
    feature map becomes a `Rescaling`. In place.

    Args:
        network: the calls.
        left: the layers that could not be taken into others, each with the reason.
    """
    for part, why in left.items():
        steps = network.calls(part)
        affine = steps[0].affine
        if affine is None:
            continue
        ranks = {len(step.input.shape) for step in steps}
        channels = {step.input.shape[affine.axis] for step in steps}
        rank = ranks.pop()
        if ranks or len(channels) > 1 or None in channels or affine.axis not in (-1, rank - 1, 1):
            network.kept[part.origin[0]] = why
        elif affine.scalar and rank not in _LAYERS:
            _rescale(network, part, steps, affine)
        elif rank in _LAYERS:
            made = _depthwise(part, affine, rank, int(channels.pop() or 0), _policy(steps))
            for step in steps:
                network.replace(step, made, step.input)
                step.affine = None
            network.notes.append(f"{part.name} became a depthwise convolution of one pixel: {why}.")
        elif rank == 2:
            _through_a_map(network, part, steps, affine)
            network.notes.append(f"{part.name} became a depthwise convolution of one pixel: {why}.")
        else:
            network.kept[part.origin[0]] = why


def _depthwise(part: Part, affine: Affine, rank: int, channels: int, policy: Any) -> Part:
    """Makes the layer for feature maps of such a rank."""
    kind = _LAYERS[rank]
    first = not affine.scalar and affine.axis == 1 and rank > 2
    layer = kind(
        1,
        data_format="channels_first" if first else "channels_last",
        trainable=part.trainable,
        name=part.name,
        dtype=policy,
    )
    scale, offset = affine.vectors(channels)
    kernel = scale.reshape(*[1] * (rank - 2), channels, 1)
    return Part(layer, part.name, part.origin, kind, weights={"kernel": kernel, "bias": offset})


def _through_a_map(network: Network, part: Part, steps: list[Step], affine: Affine) -> None:
    """Writes vectors as maps of one pixel, and back."""
    channels = int(steps[0].input.shape[-1] or 0)
    policy = _policy(steps)
    shape = (1, 1, channels)
    there = keras.layers.Reshape(shape, name=f"{part.name}_as_map", dtype=policy)
    back = keras.layers.Reshape((channels,), name=f"{part.name}_as_vector", dtype=policy)
    made = _depthwise(part, affine.along(3), 4, channels, policy)
    first, last = (Part(layer, layer.name, part.origin) for layer in (there, back))
    for step in steps:
        batch, dtype = step.input.shape[0], step.output.dtype
        as_map, mapped = Tensor((batch, *shape), dtype), Tensor((batch, *shape), dtype)
        network.insert(Step(first, (step.input,), {}, (as_map,)), before=step)
        network.insert(Step(made, (as_map,), {}, (mapped,)), before=step)
        network.insert(Step(last, (mapped,), {}, step.outputs), before=step)
        network.drop(step)


def _rescale(network: Network, part: Part, steps: list[Step], affine: Affine) -> None:
    """Writes one factor and offset as the layer for that."""
    layer = keras.layers.Rescaling(
        float(affine.scale), float(affine.offset), name=part.name, dtype=_policy(steps)
    )
    made = Part(layer, part.name, part.origin)
    for step in steps:
        network.insert(Step(made, (step.input,), {}, step.outputs, affine), before=step)
        network.drop(step)


def _policy(steps: list[Step]) -> Any:
    """Returns the number types that a layer computes with; an operator has no policy but what it gives."""
    return getattr(steps[0].layer, "dtype_policy", None) or steps[0].output.dtype
