"""The weights that an optimizer prunes: choosing their masks, remembering gradients, setting zeros."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from keras import ops

from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.optimizer._position import Position
from trimtab.pruning.optimizer._share import shares
from trimtab.pruning.schedules._schedule import Schedule

__all__ = ["PrunedWeight", "PrunedWeights", "memory_dtype"]


@dataclasses.dataclass(frozen=True, eq=False)
class PrunedWeight:
    """A weight that is being pruned, with what the optimizer keeps for it.

    Attributes:
        weight: the weight.
        mask: 1 where it stays, 0 where it goes.
        memory: what the importance remembers; None where it remembers nothing.
        average: moving average of the weight, where the inner optimizer keeps one.
        position: its place among the variables, its input-channel axis, its target.
    """

    weight: Any
    mask: Any
    memory: Any
    average: Any
    position: Position


class PrunedWeights:
    """All weights that an optimizer prunes, and what it does to them; works in compiled steps.

    No list or tuple, since Keras takes variables in these for more optimizer state: the file would hold
    them twice, and on JAX a donated buffer would be used again.
    """

    def __init__(self, rows: Sequence[PrunedWeight], schedule: Schedule, criterion: Criterion) -> None:
        self.rows, self.schedule, self.criterion = tuple(rows), schedule, criterion

    @property
    def targets(self) -> list[float | None]:
        """The final sparsity of each weight; None: that of the schedule."""
        return [row.position.target for row in self.rows]

    def choose(self, step: Any) -> None:
        """Chooses the masks for `step` anew."""
        self._assign(self._chosen(step))

    def choose_if(self, due: Any, step: Any) -> None:
        """Chooses the masks for `step` anew where `due` says so."""
        # Values go out of the branches, since JAX allows no assignment inside.
        self._assign(ops.cond(due, lambda: self._chosen(step), lambda: _values(r.mask for r in self.rows)))

    def mask(self, assign: Callable[[Any, Any], None]) -> None:
        """Sets the pruned weights, and their moving averages, to zero through `assign`."""
        for row in self.rows:
            assign(row.weight, ops.multiply(row.weight, row.mask))
            if row.average is not None:
                assign(row.average, ops.multiply(row.average, row.mask))

    def finish(self, assign: Callable[[Any, Any], None]) -> None:
        """Sets the pruned weights to a plain zero: a product with a mask may be minus zero.

        Equal to any network, but its sign is one bit that does not compress.
        """
        for row in self.rows:
            weight, mask = _values((row.weight, row.mask))
            assign(row.weight, ops.where(ops.equal(mask, 0), ops.zeros_like(weight), weight))

    def observe(self, gradients: Sequence[Any], scale: float | None) -> None:
        """Brings the memories up to date after a step.

        Args:
            gradients: the gradient of each weight; None where the loss does not depend on it.
            scale: what the gradients were multiplied by; None: nothing.
        """
        for row, gradient in zip(self.rows, gradients, strict=True):
            if gradient is None:
                continue
            gradient = ops.convert_to_tensor(gradient)  # TensorFlow may give the rows of a sparse one
            if scale is not None:
                gradient = ops.divide(gradient, scale)
            weight, memory = _values((row.weight, row.memory))
            row.memory.assign(self.criterion.importance.observe(memory, weight, gradient))

    def _chosen(self, step: Any) -> list[Any]:
        """Chooses masks: one for each weight."""
        return self.schedule.masks(_values(row.weight for row in self.rows), step, self._by_criterion)

    def _by_criterion(self, weights: Sequence[Any], sparsity: Any) -> list[Any]:
        """Chooses the masks that the criterion gives when the schedule asks for a sparsity."""
        remembers = self.criterion.importance.remembers
        return self.criterion.masks(
            weights,
            shares(sparsity, self.targets, self.schedule.target),
            axes=[row.position.axis for row in self.rows],
            memories=_values(row.memory for row in self.rows) if remembers else None,
        )

    def _assign(self, masks: Sequence[Any]) -> None:
        """Puts new masks in place."""
        for row, mask in zip(self.rows, masks, strict=True):
            row.mask.assign(mask)


def memory_dtype(weight: Any) -> str:
    """Returns the float a memory is kept in: half a float would lose small products and the past."""
    return "float64" if keras.backend.standardize_dtype(weight.dtype) == "float64" else "float32"


def _values(variables: Iterable[Any]) -> list[Any]:
    """Returns the values of variables, as tensors."""
    return [ops.convert_to_tensor(variable) for variable in variables]
