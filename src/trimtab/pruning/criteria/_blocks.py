"""Blocks of weights that go or stay together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning.criteria._granularity import Granularity
from trimtab.pruning.criteria._pieces import check_count, dtype_of, in_groups, leading, lengths

__all__ = ["Blocks"]


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class Blocks(Granularity):
    """Blocks of `height` inputs by `width` outputs, at each position of a convolution kernel.

    The score of a block is the average, or the largest, of the scores of its weights. A block at the
    edge, where the size of the block does not divide the weight, is judged by the weights that it has.
    Where it divides, the masks equal those of TensorFlow Model Optimization, which has blocks on
    matrices only.

    Args:
        height: inputs in a block, 1 or more.
        width: outputs in a block, 1 or more.
        pooling: ``"average"`` or ``"max"``.

    Raises:
        ConfigError: a value makes no sense.
    """

    height: int
    width: int
    pooling: str = "average"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            check_count(self, name)
        if self.pooling not in ("average", "max"):
            raise ConfigError(f"Blocks needs pooling 'average' or 'max', but got pooling={self.pooling!r}.")

    @property
    def name(self) -> str:
        """Such as ``"4x1"``, or ``"4x1-max"``."""
        return f"{self.height}x{self.width}" + ("-max" if self.pooling == "max" else "")

    def refuses(self, shape: Sequence[int], axis: int | None) -> str | None:
        """Refuses weights that are no matrices, or smaller than one block."""
        if len(shape) < 2:
            return f"blocks need inputs and outputs, but the weight has shape {tuple(shape)}"
        rows, columns = self._axes(shape, axis)
        if self.height > shape[rows] or self.width > shape[columns]:
            return (
                f"a block of {self.name} does not fit into {shape[rows]} inputs by {shape[columns]} outputs"
            )
        return None

    def units(self, shape: Sequence[int], axis: int | None) -> int:
        """Returns the number of blocks, those at the edges included."""
        return math.prod(self._grid(shape, axis))

    def pool(self, scores: Any, axis: int | None) -> Any:
        """Returns the average, or the largest, score of each block."""
        shape = tuple(scores.shape)
        if dtype_of(scores) != "float64":
            scores = ops.cast(scores, "float32")
        for place, length in zip(self._axes(shape, axis), (self.height, self.width), strict=True):
            scores = self._pool_along(scores, place, length)
        return scores

    def spread(self, kept: Any, shape: Sequence[int], axis: int | None) -> Any:
        """Returns the choice of each block for each of its weights."""
        for place, length in zip(self._axes(shape, axis), (self.height, self.width), strict=True):
            if length > 1:
                grid = tuple(kept.shape)
                before, after = grid[: place + 1], grid[place + 1 :]
                copies = ops.broadcast_to(ops.expand_dims(kept, place + 1), (*before, length, *after))
                kept = ops.reshape(copies, (*grid[:place], grid[place] * length, *after))
                kept = leading(kept, place, shape[place])
        return kept

    def unit_sizes(self, shape: Sequence[int], axis: int | None) -> dict[int, int]:
        """Returns how many blocks are whole, and how many have been cut at an edge."""
        rows, columns = self._axes(shape, axis)
        others = math.prod(shape) // (shape[rows] * shape[columns])
        sizes: dict[int, int] = {}
        for tall, down in lengths(shape[rows], self.height):
            for wide, across in lengths(shape[columns], self.width):
                sizes[tall * wide] = sizes.get(tall * wide, 0) + down * across * others
        return sizes

    def _axes(self, shape: Sequence[int], axis: int | None) -> tuple[int, int]:
        """Returns the axes of the inputs and of the outputs, counted from the front."""
        rank = len(shape)
        rows = (rank - 2 if axis is None else axis) % rank
        return rows, rank - 1 if rows != rank - 1 else rank - 2

    def _grid(self, shape: Sequence[int], axis: int | None) -> list[int]:
        """Returns how many blocks there are along each axis."""
        grid = list(shape)
        for place, length in zip(self._axes(shape, axis), (self.height, self.width), strict=True):
            grid[place] = math.ceil(grid[place] / length)
        return grid

    def _pool_along(self, scores: Any, place: int, length: int) -> Any:
        """Pools pieces of `length` along one axis; the last may be short."""
        if length == 1:
            return scores
        if self.pooling == "max":
            return ops.max(in_groups(scores, place, length), axis=place + 1)
        # Means, not sums over the size: a compiled step of TensorFlow divides by a constant through a
        # rounded reciprocal, and some blocks that tie would no longer do so.
        whole = scores.shape[place] // length * length
        means = []
        if whole:
            means.append(ops.mean(in_groups(leading(scores, place, whole), place, length), axis=place + 1))
        if whole < scores.shape[place]:
            last = scores[(slice(None),) * place + (slice(whole, None),)]
            means.append(ops.mean(last, axis=place, keepdims=True))
        return ops.concatenate(means, axis=place)
