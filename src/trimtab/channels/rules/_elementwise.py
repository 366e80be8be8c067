"""Layers that treat each number alone: activations, dropout and noise, learned factors."""

from __future__ import annotations

from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.channels._layout import Layout
from trimtab.channels._register import register
from trimtab.channels._site import Site
from trimtab.channels.rules._activation import activated
from trimtab.channels.rules._normalization import as_axes

__all__ = ["same"]


def same(layer: Any, site: Site) -> Layout:  # noqa: ARG001
    """Leaves every channel where it is."""
    return site.give(site.input.ids)


def _activation(layer: Any, site: Site) -> Layout:
    """An activation as a layer."""
    return activated(layer.activation, site, site.give(site.input.ids))


def _dropout(layer: Any, site: Site) -> Layout:
    """Leaves every channel where it is, unless the shape of the noise names how many there are."""
    for axis, size in enumerate(layer.noise_shape or ()):
        if size not in (None, 1):
            site.lock(site.input.along(axis), f"the noise of {site.path!r} has a fixed shape")
    return site.give(site.input.ids)


def _softmax(layer: Any, site: Site) -> Layout:
    """Divides by a sum over the axis, zeros included."""
    for axis in as_axes(layer.axis, site.input):
        site.inexact(site.input.along(axis))
    return site.give(site.input.ids)


def _prelu(layer: Any, site: Site) -> Layout:
    """A slope for each number, or for each along the axes that are not shared."""
    site.leave(layer.alpha)
    shared = layer.shared_axes or ()
    for axis in range(1, site.input.rank):
        if axis not in shared:
            site.scale(layer.alpha, axis - 1, site.input.along(axis))
    return site.give(site.input.ids)


def _layer_scale(layer: Any, site: Site) -> Layout:
    """A learned factor for each channel (Touvron et al. 2021)."""
    site.scale(layer.gamma, 0, site.input.along(-1), weight="gamma")
    return site.give(site.input.ids)


for _kind in (
    keras.layers.ActivityRegularization,
    keras.layers.ELU,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
):
    register(_kind, same)
register(keras.layers.Activation, _activation)
register(keras.layers.AlphaDropout, _dropout)
register(keras.layers.Dropout, _dropout)
register(keras.layers.PReLU, _prelu)
register(keras.layers.Softmax, _softmax)
_applications = _keras_internals.application_layers()
register(_applications["LayerScale"], _layer_scale)
register(_applications["StochasticDepth"], same)
