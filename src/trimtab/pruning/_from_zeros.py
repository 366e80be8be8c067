"""Pruning a model on that is sparse already: the zeros that are there stay."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._mask import magnitude_masks
from trimtab.pruning.criteria._threshold import kept_of
from trimtab.pruning.schedules._schedule import Chooser, Schedule
from trimtab.pruning.where._prunable import PrunableWeight

__all__ = ["FromZeros", "floors"]


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class FromZeros(Schedule):
    """Follows another schedule, but never asks for fewer zeros than there were when training began.

    Without it a schedule that climbs from 0 gives all zeros back at first: where fewer zeros are asked for
    than there are, the threshold is 0, and all weights reach it.

    Args:
        schedule: the schedule to follow.
        floors: least share of zeros, one for each weight that is pruned; a single one stands for all
            together (ranking "global").
    """

    schedule: Schedule
    floors: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "floors", tuple(float(floor) for floor in self.floors))

    def updates(self, step: Any) -> Any:
        """Tells whether the masks are chosen anew before `step`: when the schedule does, and at the first."""
        return ops.logical_or(self.schedule.updates(step), ops.equal(step, 1))

    def at(self, step: Any) -> Any:
        """Returns the schedule's own sparsity."""
        return self.schedule.at(step)

    @property
    def target(self) -> float | None:
        """The sparsity that the schedule ends with."""
        return self.schedule.target

    @property
    def reached_at(self) -> int:
        """The step at which the schedule reaches it."""
        return self.schedule.reached_at

    def masks(self, weights: Sequence[Any], step: Any, choose: Chooser = magnitude_masks) -> list[Any]:
        """Chooses the masks for the schedule's sparsity or the floor, whichever is more."""
        floors = self.floors[0] if len(self.floors) == 1 else np.asarray(self.floors, "float32")
        return choose(weights, ops.maximum(self.at(step), ops.convert_to_tensor(floors, "float32")))

    def get_config(self) -> dict[str, Any]:
        """Returns the schedule as plain data."""
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "floors": list(self.floors),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FromZeros:
        """Makes the schedule from what `get_config` gave."""
        if isinstance(config.get("schedule"), dict):
            config = {**config, "schedule": keras.saving.deserialize_keras_object(config["schedule"])}
        return super().from_config(config)


def floors(
    weights: Sequence[PrunableWeight], criterion: Criterion, memories: Sequence[Any] | None
) -> tuple[float, ...]:
    """Returns the share of zeros that each weight has, in the units that are pruned.

    At this share the units that are zero go, and no others (but such that matter as little: not at all).
    A weight that is zero as a whole counts as having none: it was never trained, rather than pruned.

    Args:
        weights: the weights to prune.
        criterion: which weights go.
        memories: memory of each weight, for an importance that remembers.

    Returns:
        One share for each weight; one for all together with ranking "global". 0 where there are no zeros,
        or where the importance does not rank them last.
    """
    scores = criterion.importance
    if scores.remembers and memories is None:
        return (0.0,) if criterion.ranking == "global" else (0.0,) * len(weights)
    counts = []
    for index, weight in enumerate(weights):
        tensor = ops.convert_to_tensor(weight.variable)
        memory = None if memories is None else ops.convert_to_tensor(memories[index])
        ranked = criterion.granularity.pool(scores.score(tensor, index, memory), weight.axis)
        zero = ops.equal(criterion.granularity.pool(ops.abs(tensor), weight.axis), 0)
        last = ops.equal(ranked, 0)
        units = criterion.granularity.units(weight.shape, weight.axis)
        empty = not weight.size - weight.zeros()
        zeros_rank_last = bool(ops.all(ops.logical_or(ops.logical_not(zero), last)))
        any_zero = bool(ops.any(zero))
        counts.append(
            (
                int(ops.sum(ops.cast(last, "int32"))) if any_zero and zeros_rank_last and not empty else 0,
                units,
            )
        )
    if criterion.ranking == "global":
        gone, units = (sum(numbers) for numbers in zip(*counts, strict=True))
        return (_share(gone, units),)
    return tuple(_share(gone, units) for gone, units in counts)


def _share(gone: int, units: int) -> float:
    """Returns the smallest share, nearly, at which `gone` units go for certain."""
    if not gone or gone >= units:
        return 0.0
    # A little more than is gone: rounding in a compiled step must not let a single zero in, since at a
    # threshold of zero all would come.
    share = np.float32((gone + max(0.25, units * 5e-7)) / units)
    while kept_of(units, float(share)) > units - gone:
        share = np.nextafter(share, np.float32(1))
    return float(share)
