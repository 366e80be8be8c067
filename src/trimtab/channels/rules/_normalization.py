"""Normalisation: parameters for each channel, and statistics that may see how many there are."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab.channels._layout import Layout
from trimtab.channels._register import register
from trimtab.channels._site import Site
from trimtab.channels.rules._convolution import tie_groups

__all__ = ["as_axes"]


def as_axes(axis: Any, layout: Layout) -> list[int]:
    """Writes the ``axis`` of a layer or operator, one or several, as axes counted from the front."""
    if axis is None:
        return list(range(layout.rank))
    axes = axis if isinstance(axis, list | tuple) else [axis]
    return [layout.axis(int(one)) for one in axes]


def _batch(layer: Any, site: Site) -> Layout:
    """Each channel has its own mean, variance, factor and offset."""
    incoming = site.input.along(layer.axis)
    for weight in layer.weights:
        site.scale(weight, 0, incoming)
    return site.give(site.input.ids)


def _layer_norm(layer: Any, site: Site) -> Layout | None:
    """One mean and variance over all channels: it changes when one goes, even one of zeros."""
    axes = as_axes(layer.axis, site.input)
    if axes != sorted(axes):
        return None
    for weight in layer.weights:
        for place, axis in enumerate(axes):
            site.scale(weight, place, site.input.along(axis))
    for axis in axes:
        site.inexact(site.input.along(axis))
    return site.give(site.input.ids)


def _group(layer: Any, site: Site) -> Layout:
    """One mean and variance for each group of channels; a group for each channel sees no other."""
    incoming = site.input.along(layer.axis)
    for weight in layer.weights:
        site.scale(weight, 0, incoming)
    site.inexact(Layout(site.input.shape, site.input.without(layer.axis)))
    if layer.groups != len(incoming):
        tie_groups(site, incoming, int(layer.groups))
        site.inexact(incoming)
    else:
        site.tie_calls(layer, site.input)  # its config has the number of groups
    return site.give(site.input.ids)


def _unit(layer: Any, site: Site) -> Layout:
    """Divides by the length of all channels as one vector."""
    for axis in as_axes(layer.axis, site.input):
        site.inexact(site.input.along(axis))
    return site.give(site.input.ids)


def _standardize(layer: Any, site: Site) -> Layout:
    """Shifts and scales by numbers that are part of its config, one for each channel."""
    site.lock(site.input, f"Normalization {site.path!r} has a fixed number for each of them")
    site.leave(*layer.weights)
    return site.give({})


def _rescale(layer: Any, site: Site) -> Layout:
    """Shifts and scales by numbers of its config."""
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        site.lock(site.input, f"Rescaling {site.path!r} has a fixed number for each of them")
        return site.give({})
    return site.give(site.input.ids)


register(keras.layers.BatchNormalization, _batch)
register(keras.layers.GroupNormalization, _group)
register(keras.layers.LayerNormalization, _layer_norm)
register(keras.layers.Normalization, _standardize)
register(keras.layers.Rescaling, _rescale)
register(keras.layers.RMSNormalization, _layer_norm)
register(keras.layers.UnitNormalization, _unit)
