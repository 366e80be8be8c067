"""Where tensors meet: numbers side by side go together, whatever the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.channels._layout import Ids, Layout
from trimtab.channels._register import register
from trimtab.channels._site import Site

__all__ = ["as_layout", "concatenated", "met", "operands"]


def operands(site: Site) -> list[Layout]:
    """Lists all that a layer or operator is called with, a list of tensors one by one, constants too."""
    found: list[Any] = []
    for argument in (*site.arguments[0], *site.arguments[1].values()):
        several = isinstance(argument, list | tuple) and any(isinstance(one, Layout) for one in argument)
        found.extend(argument if several else [argument])
    return [as_layout(one) for one in found if one is not None]


def as_layout(argument: Any) -> Layout:
    """Writes a constant as a tensor without channels."""
    if isinstance(argument, Layout):
        return argument
    return Layout(tuple(argument.shape if hasattr(argument, "shape") else np.shape(argument)))


def met(site: Site, layouts: Sequence[Layout]) -> Layout:
    """Ties the channels of tensors that are added, multiplied or compared number by number.

    Axes are matched from the back; an axis of size one is for all places of the others, and ties nothing:
    a (1, 1, C) factor goes with the channels of a (H, W, C) map, an (H, W, 1) factor with none.

    Args:
        site: the call.
        layouts: the tensors, and constants as layouts without ids.
    """
    shape = site.outputs[0]
    ids: dict[int, Ids] = {}
    for axis in range(len(shape)):
        meeting = [layout for layout in layouts if layout.rank >= len(shape) - axis]
        columns = [layout.along(axis - len(shape)) for layout in meeting]
        sizes = [layout.shape[axis - len(shape)] for layout in meeting]
        if None in sizes:
            for column in columns:
                site.lock(column, f"{site.path!r} joins them with an axis of open size")
        else:
            whole = [column for column in columns if len(column) == max(map(len, columns))]
            ids[axis] = _united(site, whole)
    return site.give(ids)


def concatenated(site: Site, layouts: Sequence[Layout], axis: int) -> Layout:
    """Sets the channels of several tensors side by side; along other axes they go together."""
    rank = len(site.outputs[0])
    ids: dict[int, Ids] = {}
    for place in range(rank):
        columns = [layout.along(place) for layout in layouts]
        if place != axis % rank:
            ids[place] = _united(site, columns)
        elif site.outputs[0][place] is not None:
            ids[place] = np.concatenate(columns)
        else:
            for column in columns:
                site.lock(column, f"{site.path!r} joins them with an axis of open size")
    return site.give(ids)


def _united(site: Site, columns: Sequence[Ids]) -> Ids:
    """Ties the channels at the same places, and returns them."""
    ids = columns[0]
    if any((column >= 0).any() for column in columns):
        for column in columns[1:]:
            site.tie(ids, column)
            ids = np.where(ids >= 0, ids, column) if len(ids) == len(column) else ids
    return ids


def _merge(layer: Any, site: Site) -> Layout:  # noqa: ARG001
    return met(site, operands(site))


def _concatenate(layer: Any, site: Site) -> Layout:
    return concatenated(site, operands(site), layer.axis)


for _kind in (
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Multiply,
    keras.layers.Subtract,
):
    register(_kind, _merge)
register(keras.layers.Concatenate, _concatenate)
register(_keras_internals.application_layers()["CustomScaleLayer"], _merge)
