"""Depthwise and separable convolutions: each channel has filters of its own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab.channels._layout import Layout
from trimtab.channels._register import register
from trimtab.channels._site import Site
from trimtab.channels.rules._activation import activated
from trimtab.channels.rules._convolution import channel_axis

__all__: list[str] = []


def _depthwise(layer: Any, site: Site) -> Layout:
    """Repeats each channel by the depth multiplier: its copies stand side by side and go with it."""
    axis = channel_axis(layer)
    site.lock(Layout(site.input.shape, site.input.without(axis)), f"{site.path!r} slides along them")
    incoming = site.input.along(axis)
    outgoing = np.repeat(incoming, int(layer.depth_multiplier))
    site.scale(layer.kernel, -2, incoming)
    if layer.bias is not None:
        site.scale(layer.bias, 0, outgoing)
    return activated(layer.activation, site, site.give({axis: outgoing}))


def _separable(layer: Any, site: Site) -> Layout:
    """Follows a depthwise convolution and the pointwise one behind it, which makes new channels."""
    axis = channel_axis(layer)
    site.lock(Layout(site.input.shape, site.input.without(axis)), f"{site.path!r} slides along them")
    incoming = site.input.along(axis)
    site.scale(layer.depthwise_kernel, -2, incoming)
    site.take(layer.pointwise_kernel, -2, np.repeat(incoming, int(layer.depth_multiplier)))
    outgoing = site.make(layer.pointwise_kernel, -1)
    if layer.bias is not None:
        site.out(layer.bias, 0, outgoing)
    return activated(layer.activation, site, site.give({axis: outgoing}))


for _kind in (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D):
    register(_kind, _depthwise)
for _kind in (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D):
    register(_kind, _separable)
