"""Layers that work on the pixels of each channel: pooling, padding, cropping, scaling."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.channels._layout import Layout
from trimtab.channels._register import register
from trimtab.channels._site import Site
from trimtab.channels.rules._convolution import channel_axis

__all__ = ["over_pixels"]


def over_pixels(layer: Any, site: Site) -> Layout:
    """Leaves the channels where they are; what stands along the pixels must stay."""
    axis = channel_axis(layer)
    site.lock(Layout(site.input.shape, site.input.without(axis)), f"{site.path!r} works along them")
    return site.give({axis: site.input.along(axis)})


def _global_pooling(layer: Any, site: Site) -> Layout:
    """Takes one number from each channel; what stands along the pixels is averaged away."""
    axis = channel_axis(layer)
    site.inexact(Layout(site.input.shape, site.input.without(axis)))
    return site.give({axis: site.input.along(axis)})


for _name in (
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "CenterCrop",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Resizing",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
):
    register(getattr(keras.layers, _name), over_pixels)
for _kind in (
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
):
    register(_kind, _global_pooling)
