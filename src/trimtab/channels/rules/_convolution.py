"""Convolutions: they take channels in and make new ones."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab.channels._layout import Ids, Layout
from trimtab.channels._register import register
from trimtab.channels._site import Site
from trimtab.channels.rules._activation import activated

__all__ = ["channel_axis", "tie_groups"]


def channel_axis(layer: Any) -> int:
    """Returns the axis of a feature map along which its channels stand."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def tie_groups(site: Site, ids: Ids, groups: int) -> Ids:
    """Ties the channels at the same place of each of so many groups, so that all groups stay equally large.

    Returns:
        The channels of the first group.
    """
    rows = ids.reshape(groups, -1)
    for row in rows[1:]:
        site.tie(rows[0], row)
    return np.asarray(rows[0])


def _convolution(layer: Any, site: Site) -> Layout:
    """Follows channels through a convolution, perhaps in groups."""
    axis, groups = channel_axis(layer), int(layer.groups)
    site.lock(_others(site, axis), f"{site.path!r} slides along them")
    incoming = site.input.along(axis)
    if groups > 1 and len(incoming) == groups:
        outgoing = _one_to_each(layer, site, incoming)
    else:
        first = tie_groups(site, incoming, groups)
        site.take(layer.kernel, -2, first)
        outgoing = site.make(layer.kernel, -1)
        tie_groups(site, outgoing, groups)
        if layer.bias is not None:
            site.out(layer.bias, 0, outgoing)
    return activated(layer.activation, site, site.give({axis: outgoing}))


def _one_to_each(layer: Any, site: Site, incoming: Ids) -> Ids:
    """Follows a convolution with a group for each channel: a depthwise one by another name."""
    outgoing = np.repeat(incoming, int(layer.filters) // len(incoming))
    site.scale(layer.kernel, -1, outgoing)
    if layer.bias is not None:
        site.scale(layer.bias, 0, outgoing)
    return outgoing


def _transposed(layer: Any, site: Site) -> Layout:
    """Follows channels through a transposed convolution, whose kernel has its filters before its inputs."""
    axis = channel_axis(layer)
    site.lock(_others(site, axis), f"{site.path!r} slides along them")
    site.take(layer.kernel, -1, site.input.along(axis))
    outgoing = site.make(layer.kernel, -2)
    if layer.bias is not None:
        site.out(layer.bias, 0, outgoing)
    return activated(layer.activation, site, site.give({axis: outgoing}))


def _others(site: Site, axis: int) -> Layout:
    """Returns what stands along the axes of the pixels, which is hardly ever a channel."""
    return Layout(site.input.shape, site.input.without(axis))


for _kind in (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D):
    register(_kind, _convolution)
for _kind in (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose):
    register(_kind, _transposed)
