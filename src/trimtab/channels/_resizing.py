"""What changes in a layer's config once channels are gone: one small function for each kind of layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.channels._layout import Shape
from trimtab.channels._register import NewSizes, register_resize

__all__ = ["operator_resize"]


def _channels(layer: Any, shape: Shape) -> int:
    """Returns the channels of a feature map."""
    return int(shape[1 if layer.data_format == "channels_first" else -1] or 0)


def _convolution(layer: Any, new: NewSizes) -> Mapping[str, Any]:
    *_, taken, filters = new.weights["kernel"]
    if layer.groups == 1:
        return {"filters": filters}
    # Each filter sees as many inputs as the kernel is deep: so many groups there are.
    return {"filters": filters, "groups": _channels(layer, new.inputs[0]) // taken}


def _transposed(layer: Any, new: NewSizes) -> Mapping[str, Any]:  # noqa: ARG001
    return {"filters": new.weights["kernel"][-2]}


def _depthwise(layer: Any, new: NewSizes) -> Mapping[str, Any]:  # noqa: ARG001
    return {"depth_multiplier": new.weights["kernel"][-1]}


def _separable(layer: Any, new: NewSizes) -> Mapping[str, Any]:  # noqa: ARG001
    changes: dict[str, Any] = {}
    if "pointwise_kernel" in new.weights:
        changes["filters"] = new.weights["pointwise_kernel"][-1]
    if "depthwise_kernel" in new.weights:
        changes["depth_multiplier"] = new.weights["depthwise_kernel"][-1]
    return changes


def _dense(layer: Any, new: NewSizes) -> Mapping[str, Any]:  # noqa: ARG001
    return {"units": new.weights["kernel"][-1]}


def _embedding(layer: Any, new: NewSizes) -> Mapping[str, Any]:  # noqa: ARG001
    return {"output_dim": new.weights["embeddings"][-1]}


def _group_norm(layer: Any, new: NewSizes) -> Mapping[str, Any]:
    # A group for each channel stays one; else the groups stay as many, each of fewer channels.
    alone = layer.groups == layer.input.shape[layer.axis]
    return {"groups": new.inputs[0][layer.axis]} if alone else {}


def _layer_scale(layer: Any, new: NewSizes) -> Mapping[str, Any]:  # noqa: ARG001
    return {"projection_dim": new.weights["gamma"][0]}


def _multi_head(layer: Any, new: NewSizes) -> Mapping[str, Any]:
    heads = new.weights["key/kernel"][1]
    asked = layer.get_config()["output_shape"]
    if asked is None:
        return {"num_heads": heads}
    if isinstance(asked, int):
        return {"num_heads": heads, "output_shape": new.outputs[0][-1]}
    return {"num_heads": heads, "output_shape": new.outputs[0][-len(asked) :]}


def _grouped_query(layer: Any, new: NewSizes) -> Mapping[str, Any]:  # noqa: ARG001
    return {
        "num_query_heads": new.weights["query/kernel"][1],
        "num_key_value_heads": new.weights["key/kernel"][1],
    }


def _einsum(layer: Any, new: NewSizes) -> Mapping[str, Any]:
    # Its config names neither the batch (the first letter) nor the axes that an ellipsis stands for.
    before, dots, after = layer.equation.replace(" ", "").partition("->")[2].partition("...")
    sizes = new.outputs[0]
    named = sizes[1 : len(before)] + sizes[len(sizes) - len(after) :] if dots else sizes[1:]
    return {"output_shape": _replaced(layer.partial_output_shape, named)}


def _reshape(layer: Any, new: NewSizes) -> Mapping[str, Any]:
    return {"target_shape": _replaced(layer.target_shape, new.outputs[0][1:])}


def _replaced(asked: Sequence[int | None], sizes: Shape) -> list[int | None]:
    """Writes the new sizes where a shape names one: not where it leaves it open (None, -1)."""
    if len(asked) != len(sizes):
        return list(asked)
    return [
        size if size is not None and there not in (None, -1) else there
        for there, size in zip(asked, sizes, strict=True)
    ]


for _kind in (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D):
    register_resize(_kind, _convolution)
for _kind in (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
):
    register_resize(_kind, _transposed)
for _kind in (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D):
    register_resize(_kind, _depthwise)
for _kind in (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D):
    register_resize(_kind, _separable)
register_resize(keras.layers.Dense, _dense)
register_resize(keras.layers.Embedding, _embedding)
register_resize(keras.layers.EinsumDense, _einsum)
register_resize(keras.layers.GroupNormalization, _group_norm)
register_resize(keras.layers.GroupQueryAttention, _grouped_query)
register_resize(keras.layers.MultiHeadAttention, _multi_head)
register_resize(_keras_internals.application_layers()["LayerScale"], _layer_scale)
register_resize(keras.layers.Reshape, _reshape)


def operator_resize(kind: str, config: Mapping[str, Any], new: NewSizes) -> Mapping[str, Any]:
    """Says what changes in the config of an operator of `keras.ops`.

    Args:
        kind: name of its class, such as ``"Reshape"``.
        config: its config.
        new: the shapes of its tensors, as in `register`.
    """
    name = _SHAPES.get(kind)
    if name is None or not isinstance(config.get(name), list | tuple):
        return {}
    return {name: _replaced(config[name], new.outputs[0])}


_SHAPES = {"Reshape": "newshape", "BroadcastTo": "shape"}
"""Operators that are told the shape that comes out, with the batch, and how their config calls it."""
