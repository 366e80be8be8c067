"""Attention: its heads are the units, and what goes in and comes out is followed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.channels._layout import Ids, Layout
from trimtab.channels._register import register
from trimtab.channels._site import Site

__all__: list[str] = []


def _multi_head(layer: Any, site: Site) -> Layout | tuple[Layout, ...]:
    """A head goes as a whole: its part of the query, key, value and output kernels."""
    return _attention(layer, site, repeats=1, own_size=layer.get_config()["output_shape"] is not None)


def _grouped_query(layer: Any, site: Site) -> Layout | tuple[Layout, ...]:
    """A key and value head goes together with the query heads that share it."""
    return _attention(layer, site, repeats=int(layer.num_repeats), own_size=False)


def _attention(layer: Any, site: Site, *, repeats: int, own_size: bool) -> Layout | tuple[Layout, ...]:
    """Follows the projections by their names; kernels are (channels, heads, size of a head).

    Args:
        layer: the layer.
        site: the call.
        repeats: how many query heads share a key and value head.
        own_size: whether its config says how many channels come out; else as many as the query has.
    """
    part = {inner.name: inner for inner in _keras_internals.sublayers(layer)}
    query, value, key = _arguments(site)
    heads = site.make(part["key"].kernel, 1, weight="key/kernel")
    shared = np.repeat(heads, repeats)
    for name, layout, ids in (
        ("query", query, shared),
        ("key", key, heads),
        ("value", value, heads),
        ("gate", query, shared),
    ):
        if name in part:
            _project(site, part[name], name, layout, ids)
        site.lock(Layout(layout.shape, layout.without(-1)), f"{site.path!r} attends over them")
    output = _output(site, part["attention_output"], shared, query, own_size=own_size)
    if len(site.outputs) == 1:
        return output
    site.lock(heads, f"the attention scores of {site.path!r} are used")
    return (output, *(Layout(shape) for shape in site.outputs[1:]))


def _arguments(site: Site) -> tuple[Layout, Layout, Layout]:
    """Returns query, value and key, as the layer takes them."""
    names = ("query", "value", "key")
    given = dict(zip(names, site.arguments[0], strict=False)) | {
        name: site.arguments[1][name] for name in names if name in site.arguments[1]
    }
    query, value = given["query"], given["value"]
    key = given.get("key")
    return query, value, value if key is None else key


def _project(site: Site, dense: Any, name: str, layout: Layout, heads: Ids) -> None:
    """Notes the kernel and bias of a projection from channels to heads."""
    site.take(dense.kernel, 0, layout.along(-1), weight=f"{name}/kernel")
    site.out(dense.kernel, 1, heads, weight=f"{name}/kernel")
    if dense.bias is not None:
        site.out(dense.bias, 0, heads, weight=f"{name}/bias")


def _output(site: Site, dense: Any, heads: Ids, query: Layout, *, own_size: bool) -> Layout:
    """Notes the kernel and bias of the projection from heads to channels, and returns what comes out."""
    site.take(dense.kernel, 0, heads, weight="attention_output/kernel")
    ids: dict[int, Ids] = {}
    for axis in range(2, len(dense.kernel.shape)):
        place = axis - len(dense.kernel.shape)
        ids[place] = site.make(dense.kernel, axis, weight="attention_output/kernel")
        if dense.bias is not None:
            site.out(dense.bias, place, ids[place], weight="attention_output/bias")
    if not own_size:
        site.tie(ids[-1], query.along(-1), "the query, whose size it takes,")
    return site.give(ids)


register(keras.layers.GroupQueryAttention, _grouped_query)
register(keras.layers.MultiHeadAttention, _multi_head)
