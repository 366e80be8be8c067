"""Layers that give a tensor another shape: followed place by place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from trimtab.channels._layout import Ids, Layout, Shape
from trimtab.channels._register import register
from trimtab.channels._site import Site

__all__ = ["moved", "reshaped"]

_Block = tuple[list[int], list[int]]
"""Axes before and axes after that hold the same numbers in the same order."""


def reshaped(site: Site, layout: Layout) -> Layout:
    """Follows channels through a reshape, by really reshaping their ids.

    Flattened, the channels of a map are tiled: each has as many places as there were pixels. Where one axis
    of channels becomes two, those that differ along the shorter one only are tied, so that what is left
    still fills both.
    """
    shape = site.outputs[0]
    ids: dict[int, Ids] = {}
    for before, after in _blocks(layout.shape, shape):
        marked = [axis for axis in before if axis in layout.ids]
        if not marked:
            continue
        sizes = [shape[axis] for axis in after]
        if len(marked) > 1 or not after or None in [layout.shape[axis] for axis in before] + sizes:
            why = f"{site.path!r} mixes them with another axis"
            for axis in marked:
                site.lock(layout.ids[axis], why)
            continue
        spread = _spread(layout, before, marked[0]).reshape([size or 0 for size in sizes])
        axis, found = _along_one_axis(site, spread)
        ids[after[axis]] = found
    return site.give(ids)


def _spread(layout: Layout, axes: list[int], marked: int) -> Ids:
    """Writes the ids along one axis out over several."""
    place = axes.index(marked)
    one = layout.ids[marked].reshape([-1 if axis == place else 1 for axis in range(len(axes))])
    return np.broadcast_to(one, [layout.shape[axis] or 0 for axis in axes])


def _along_one_axis(site: Site, ids: Ids) -> tuple[int, Ids]:
    """Returns the axis along which ids differ, and them; ties those that differ along others."""
    differing = [axis for axis in range(ids.ndim) if (ids != ids.take([0], axis)).any()]
    candidates = differing or range(ids.ndim)
    axis = max(candidates, key=lambda one: (ids.shape[one], one))
    rows = np.moveaxis(ids, axis, -1).reshape(-1, ids.shape[axis])
    for row in np.unique(rows, axis=0) if len(differing) > 1 else ():
        site.tie(rows[0], row)
    return axis, np.array(rows[0])


def _blocks(before: Shape, after: Shape) -> list[_Block]:
    """Matches the axes of two shapes from the back, in blocks of equally many numbers.

    What is left at the front (the batch, and sizes that the model leaves open) is matched axis by axis where
    it is the same, and is else one block.
    """
    blocks: list[_Block] = []
    left, right = len(before), len(after)
    while left > 1 and right > 1:
        block = _block(before, after, left, right)
        if block is None:
            break
        blocks.append(block)
        left, right = block[0][0], block[1][0]
    if before[1:left] == after[1:right] and before[1:left].count(None) <= 1:
        blocks += [([axis], [axis]) for axis in range(1, left)]
    elif left > 1:
        blocks.append((list(range(1, left)), list(range(1, right)) if right > 1 else []))
    return blocks


def _block(before: Shape, after: Shape, left: int, right: int) -> _Block | None:
    """Finds the smallest block in front of two places; None where there is none, or a size is open."""
    start, stop = left - 1, right - 1
    while True:
        sizes = before[start:left], after[stop:right]
        if None in sizes[0] or None in sizes[1]:
            return None
        one, other = math.prod(map(int, sizes[0])), math.prod(map(int, sizes[1]))  # type: ignore[arg-type]
        if one == other:
            return list(range(start, left)), list(range(stop, right))
        if one < other:
            start -= 1
        else:
            stop -= 1
        if start < 1 or stop < 1:
            return None


def moved(site: Site, layout: Layout, order: Sequence[int]) -> Layout:
    """Follows channels through a transposition: axis `order[i]` comes to place i."""
    return site.give({place: layout.along(axis) for place, axis in enumerate(order)})


def _reshape(layer: Any, site: Site) -> Layout:
    """Its config holds the sizes, so channels that pass through in several calls stay equally many."""
    layout = reshaped(site, site.input)
    site.tie_calls(layer, layout)
    return layout


def _flatten(layer: Any, site: Site) -> Layout:
    """Channels go last before a map is flattened."""
    layout = site.input
    if layer.data_format == "channels_first" and layout.rank > 1:
        order = [0, *range(2, layout.rank), 1]
        layout = Layout(
            tuple(layout.shape[axis] for axis in order),
            {place: layout.along(axis) for place, axis in enumerate(order) if axis in layout.ids},
        )
    if layout.rank == 1:
        return site.give({})
    return reshaped(site, layout)


def _permute(layer: Any, site: Site) -> Layout:
    return moved(site, site.input, (0, *layer.dims))


def _repeat(layer: Any, site: Site) -> Layout:  # noqa: ARG001
    """The same vector several times, along a new axis."""
    return site.give({-1: site.input.along(-1)})


register(keras.layers.Flatten, _flatten)
register(keras.layers.Permute, _permute)
register(keras.layers.RepeatVector, _repeat)
register(keras.layers.Reshape, _reshape)
