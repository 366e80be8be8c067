"""Which channel stands at which place of a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Ids", "Layout", "Shape", "fixed"]

Ids = np.ndarray
"""One whole number for each place of an axis: its channel; -1 for a place that always stays."""

Shape = tuple[int | None, ...]
"""Sizes of a tensor, the batch first; None where the model leaves a size open."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Which channel each place of a tensor belongs to, axis by axis.

    A feature map of 8 channels has ids on its last axis alone; flattened, each id is there once a pixel. What
    is not listed always stays: the image's own channels, the pixels, the batch.

    Attributes:
        shape: the tensor's sizes, with the batch.
        ids: for each axis (counted from 0, the batch) along which channels may go: int array (size,) of ids.
            While a graph is followed, the ids are channels; in a `ChannelGraph`, they are units, numbered
            through all groups (`ChannelGraph.unit_mask`).
    """

    shape: Shape
    ids: Mapping[int, Ids] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {axis: ids for axis, ids in sorted(self.ids.items()) if len(ids) and (ids >= 0).any()}
        object.__setattr__(self, "ids", kept)

    @property
    def rank(self) -> int:
        """How many axes the tensor has."""
        return len(self.shape)

    def axis(self, axis: int) -> int:
        """Counts an axis from the front: -1 is the last."""
        return axis % self.rank

    def along(self, axis: int) -> Ids:
        """Returns the ids along an axis; -1 throughout, where nothing along it may go."""
        place = self.axis(axis)
        return self.ids.get(place, fixed(self.shape[place]))

    def without(self, *axes: int) -> dict[int, Ids]:
        """Returns the ids of all other axes."""
        left_out = {self.axis(axis) for axis in axes}
        return {axis: ids for axis, ids in self.ids.items() if axis not in left_out}

    def all(self) -> Ids:
        """Returns all ids in the tensor, whatever their axis."""
        return np.concatenate([*self.ids.values(), np.zeros(0, np.int64)]).astype(np.int64)


def fixed(size: int | None) -> Ids:
    """Returns the ids of an axis whose places all stay."""
    return np.full(size or 0, -1, np.int64)
