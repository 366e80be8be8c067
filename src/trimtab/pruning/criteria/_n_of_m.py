"""N:M sparsity: of each M consecutive weights along the inputs at most N stay."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning.criteria._granularity import Granularity
from trimtab.pruning.criteria._pieces import check_count, dtype_of, in_groups, leading, lengths
from trimtab.pruning.criteria._threshold import order_bits

__all__ = ["NM"]


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
            check_count(self, name)
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
        if dtype_of(scores) != "float64":
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
        return {1: others * sum(max(r - self.n, 0) * count for r, count in lengths(shape[place], self.m))}

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
        groups = in_groups(bits, place, self.m)
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
        return leading(ops.reshape(ops.less(better, self.n), whole), place, bits.shape[place])
