"""What goes together: single weights, blocks of them, or N of each M.

A granularity turns the scores of single weights into the scores of the units that are ranked, and the
choice of units back into a mask. Kernels are read as Keras stores them: the last two axes of a `Dense` or
convolution kernel are (inputs, outputs), the axes before them are positions in the image.
"""

from __future__ import annotations

import abc
import dataclasses
import math
import numbers
import re
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.errors import ConfigError, nearest
from trimtab.pruning._configured import Configured
from trimtab.pruning.criteria._threshold import kept_of, order_bits

__all__ = ["NM", "Blocks", "Granularity", "Unstructured", "granularity"]


@dataclasses.dataclass(frozen=True)
class Granularity(Configured, abc.ABC):
    """What is pruned together; a unit is the smallest part that goes or stays as a whole.

    A granularity is data: a frozen dataclass of plain values. Its methods are made of `keras.ops` and
    of shapes, so that they work in compiled training steps. `trimtab.testing.check_granularity` says
    whether one of your own does what is needed.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name, such as ``"unstructured"``, ``"4x1"``, ``"2:4"``."""

    @property
    def pattern_from(self) -> float | None:
        """The sparsity from which on a fixed pattern is complete; None where there is no such pattern.

        From there on each unit goes whose pooled score is finite, or does not tie with the best.
        """
        return None

    def refuses(self, shape: Sequence[int], axis: int | None) -> str | None:  # noqa: ARG002
        """Says why it cannot be used on a weight, in plain words; None if it can.

        Args:
            shape: shape of the weight.
            axis: axis of the input channels; None: the weight has none (a depthwise kernel).
        """
        return None

    @abc.abstractmethod
    def units(self, shape: Sequence[int], axis: int | None) -> int:
        """Returns how many units of a weight are ranked."""

    @abc.abstractmethod
    def pool(self, scores: Any, axis: int | None) -> Any:
        """Returns the score of each unit.

        Args:
            scores: score of each single weight, 0 or more, of the weight's shape; the larger stays.
            axis: axis of the input channels, or None.

        Returns:
            Scores, 0 or more; infinity: never goes.
        """

    @abc.abstractmethod
    def spread(self, kept: Any, shape: Sequence[int], axis: int | None) -> Any:
        """Returns which weights stay, of `shape`, from which units stay (both boolean)."""

    @abc.abstractmethod
    def unit_sizes(self, shape: Sequence[int], axis: int | None) -> dict[int, int]:
        """Returns how many units may go, by the number of weights in each: ``{weights: units}``."""

    def zeros(self, shape: Sequence[int], axis: int | None, sparsity: float) -> int:
        """Returns the fewest zeros that pruning one weight to `sparsity` makes where nothing ties."""
        units = self.units(shape, axis)
        gone = units - kept_of(units, sparsity)
        if self.pattern_from is not None and sparsity >= self.pattern_from - 1e-6:
            gone = units - 1
        return fewest_zeros(self.unit_sizes(shape, axis), gone)

    def limit(self, shape: Sequence[int], axis: int | None) -> float:
        """Returns the largest share of zeros it can make in a weight; at least one unit stays."""
        size = math.prod(shape)
        sizes = self.unit_sizes(shape, axis)
        free = sum(weights * units for weights, units in sizes.items())
        return (free - (min(sizes) if free == size else 0)) / size


def fewest_zeros(sizes: dict[int, int], units: int) -> int:
    """Returns how many weights `units` units hold at least, taking the small ones first."""
    zeros = 0
    for weights in sorted(sizes):
        taken = min(units, sizes[weights])
        zeros, units = zeros + taken * weights, units - taken
    return zeros


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class Unstructured(Granularity):
    """Each weight by itself: the most accurate, and no faster at inference on common hardware."""

    @property
    def name(self) -> str:
        """``"unstructured"``."""
        return "unstructured"

    def units(self, shape: Sequence[int], axis: int | None) -> int:  # noqa: ARG002
        """Returns the number of weights."""
        return math.prod(shape)

    def pool(self, scores: Any, axis: int | None) -> Any:  # noqa: ARG002
        """Returns the scores as they are."""
        return scores

    def spread(self, kept: Any, shape: Sequence[int], axis: int | None) -> Any:  # noqa: ARG002
        """Returns the choice as it is."""
        return kept

    def unit_sizes(self, shape: Sequence[int], axis: int | None) -> dict[int, int]:  # noqa: ARG002
        """Returns that each unit is one weight."""
        return {1: math.prod(shape)}


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
            _check_count(self, name)
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
        if _dtype(scores) != "float64":
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
                kept = _first(kept, place, shape[place])
        return kept

    def unit_sizes(self, shape: Sequence[int], axis: int | None) -> dict[int, int]:
        """Returns how many blocks are whole, and how many have been cut at an edge."""
        rows, columns = self._axes(shape, axis)
        others = math.prod(shape) // (shape[rows] * shape[columns])
        sizes: dict[int, int] = {}
        for tall, down in _pieces(shape[rows], self.height):
            for wide, across in _pieces(shape[columns], self.width):
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
            return ops.max(_grouped(scores, place, length), axis=place + 1)
        # Means, not sums over the size: a compiled step of TensorFlow divides by a constant through a
        # rounded reciprocal, and some blocks that tie would no longer do so.
        whole = scores.shape[place] // length * length
        means = []
        if whole:
            means.append(ops.mean(_grouped(_first(scores, place, whole), place, length), axis=place + 1))
        if whole < scores.shape[place]:
            last = scores[(slice(None),) * place + (slice(whole, None),)]
            means.append(ops.mean(last, axis=place, keepdims=True))
        return ops.concatenate(means, axis=place)


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class NM(Granularity):
    """At most `n` of each `m` consecutive weights along the input channels stay: ``NM(2, 4)`` is 2:4.

    It follows its schedule: in each group the `m - n` least important weights are candidates (of equal
    ones the later), and candidates go in the order of importance until the share asked for is zero. From
    the sparsity ``1 - n / m`` on, each group has its pattern. A last group that is short, of r weights,
    keeps ``min(n, r)``. (Mishra et al. 2021, "Accelerating sparse deep neural networks".)

    Args:
        n: weights of a group that stay, 1 or more.
        m: weights in a group, more than `n`.

    Raises:
        ConfigError: a value makes no sense.
    """

    n: int
    m: int

    def __post_init__(self) -> None:
        for name in ("n", "m"):
            _check_count(self, name)
        if self.n >= self.m:
            raise ConfigError(
                f"N:M keeps n of each m weights, so n must be smaller, but got {self.n}:{self.m}. "
                "For example 2:4 keeps two of four."
            )

    @property
    def name(self) -> str:
        """Such as ``"2:4"``."""
        return f"{self.n}:{self.m}"

    @property
    def pattern_from(self) -> float:
        """The share of zeros of the complete pattern: ``1 - n / m``."""
        return 1 - self.n / self.m

    def refuses(self, shape: Sequence[int], axis: int | None) -> str | None:
        """Refuses weights without input channels, or with fewer than one group of them."""
        if axis is None:
            return f"{self.name} goes along input channels, and the weight has none to sum over"
        if shape[axis] < self.m:
            return f"{self.name} needs at least {self.m} input channels, but the weight has {shape[axis]}"
        return None

    def units(self, shape: Sequence[int], axis: int | None) -> int:  # noqa: ARG002
        """Returns the number of weights: each goes or stays by itself."""
        return math.prod(shape)

    def pool(self, scores: Any, axis: int | None) -> Any:
        """Returns the scores of the candidates, and infinity for the weights that always stay."""
        place = self._place(scores.shape, axis)
        if _dtype(scores) != "float64":
            scores = ops.cast(scores, "float32")
        stays = self._best(order_bits(scores), place)
        return ops.where(stays, ops.cast(float("inf"), scores.dtype), scores)

    def spread(self, kept: Any, shape: Sequence[int], axis: int | None) -> Any:  # noqa: ARG002
        """Returns the choice as it is."""
        return kept

    def unit_sizes(self, shape: Sequence[int], axis: int | None) -> dict[int, int]:
        """Returns how many weights are candidates."""
        place = self._place(shape, axis)
        others = math.prod(shape) // shape[place]
        return {1: others * sum(max(r - self.n, 0) * count for r, count in _pieces(shape[place], self.m))}

    def limit(self, shape: Sequence[int], axis: int | None) -> float:
        """Returns the share of weights that are candidates."""
        return self.unit_sizes(shape, axis)[1] / math.prod(shape)

    def _place(self, shape: Sequence[int], axis: int | None) -> int:
        """Returns the axis of the input channels, counted from the front."""
        if axis is None:
            raise ConfigError(f"{self.name} cannot prune a weight of shape {tuple(shape)} without inputs.")
        return axis % len(shape)

    def _best(self, bits: Any, place: int) -> Any:
        """Tells which weights are among the `n` best of their group."""
        groups = _grouped(bits, place, self.m)
        number = np.arange(self.m).reshape([-1 if i == place + 1 else 1 for i in range(len(groups.shape))])
        less = ops.subtract(groups, 1)
        better = ops.zeros(groups.shape, dtype="int8" if self.m < 128 else "int32")
        for member in range(self.m):
            # Of equal ones the earlier stays, as with TensorFlow's top_k: later ones count for one less.
            other = groups[(slice(None),) * (place + 1) + (slice(member, member + 1),)]
            rival = ops.where(ops.convert_to_tensor(number > member), less, groups)
            # Not by ops.add, which on TensorFlow takes what has one long axis for a bias, and may fail.
            better = better + ops.cast(ops.greater(other, rival), better.dtype)
        whole = (*bits.shape[:place], -1, *bits.shape[place + 1 :])
        return _first(ops.reshape(ops.less(better, self.n), whole), place, bits.shape[place])


def granularity(value: str | Granularity) -> Granularity:
    """Returns the granularity of a name: ``"unstructured"``, ``"4x1"`` (blocks), ``"2:4"`` (N:M).

    Args:
        value: a name, or a granularity, which is returned as it is. ``"4x1-max"`` pools by the largest.

    Raises:
        ConfigError: no granularity has this name, or its numbers make no sense.
    """
    if isinstance(value, Granularity):
        return value
    if isinstance(value, str):
        name = value.strip().lower()
        if name == "unstructured":
            return Unstructured()
        if match := re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})(-max)?", name):
            height, width = int(match[1]), int(match[2])
            if height == width == 1:
                return Unstructured()
            return Blocks(height, width, "max" if match[3] else "average")
        if match := re.fullmatch(r"([0-9]{1,6}):([0-9]{1,6})", name):
            return NM(int(match[1]), int(match[2]))
    hint = nearest(value, ["unstructured"]) if isinstance(value, str) else ""
    raise ConfigError(
        "A granularity is 'unstructured', blocks of inputs by outputs such as '4x1', or N:M such as '2:4' "
        f"(two of each four stay), but got {value!r}.{hint}"
    )


def _grouped(tensor: Any, place: int, length: int) -> Any:
    """Splits one axis into (groups, length), zeros filling up the last group."""
    shape = tuple(tensor.shape)
    missing = -shape[place] % length
    if missing:
        tensor = ops.pad(tensor, [(0, missing if i == place else 0) for i in range(len(shape))])
    return ops.reshape(
        tensor, (*shape[:place], (shape[place] + missing) // length, length, *shape[place + 1 :])
    )


def _first(tensor: Any, place: int, size: int) -> Any:
    """Returns the first `size` entries along one axis."""
    if tensor.shape[place] == size:
        return tensor
    return tensor[(slice(None),) * place + (slice(size),)]


def _dtype(tensor: Any) -> str:
    """Returns the name of a tensor's dtype."""
    return str(keras.backend.standardize_dtype(tensor.dtype))


def _pieces(size: int, length: int) -> list[tuple[int, int]]:
    """Returns (length of a piece, how many there are) of an axis that is cut into pieces."""
    pieces = [(length, size // length), (size % length, 1)]
    return [(piece, count) for piece, count in pieces if piece and count]


def _check_count(part: Granularity, name: str) -> None:
    """Raises `ConfigError` unless the field is a whole number of 1 or more."""
    value = getattr(part, name)
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ConfigError(
            f"{type(part).__name__} needs {name} as a whole number of 1 or more, but got {name}={value!r}."
        )
    object.__setattr__(part, name, int(value))
