"""What a pruning optimizer has made of each weight so far, as numbers to look at."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.optimizer._pruned_weights import PrunedWeight, PrunedWeights
from trimtab.pruning.optimizer._share import shares

__all__ = ["WeightState", "weight_states"]


@dataclasses.dataclass(frozen=True)
class WeightState:
    """A weight that is being pruned, at one moment of the training.

    Attributes:
        index: place of the weight among those pruned.
        path: the path of its variable, such as ``"dense/kernel"``.
        shape: its shape.
        asked: share of zeros that the latest update of the masks aimed at (0 before the first); None where
            the schedule asks for none. With ranking "global" it is the share of all weights together.
        zeros: how many of its numbers are zero.
        threshold: the least importance of a unit (a weight, or a block) that stays, though it might have
            gone; None where there is no such unit.
    """

    index: int
    path: str
    shape: tuple[int, ...]
    asked: float | None
    zeros: int
    threshold: float | None


def weight_states(pruned: PrunedWeights, latest: int) -> tuple[WeightState, ...]:
    """Returns the state of each weight.

    Args:
        pruned: the weights.
        latest: the step that the masks were chosen for; 0: they were not yet.
    """
    asked = _asked(pruned, latest)
    return tuple(
        WeightState(
            index=index,
            path=str(row.weight.path),
            shape=tuple(row.weight.shape),
            asked=share,
            zeros=int(np.count_nonzero(_numpy(row.weight) == 0)),
            threshold=_threshold(row, index, pruned.criterion),
        )
        for index, (row, share) in enumerate(zip(pruned.rows, asked, strict=True))
    )


def _asked(pruned: PrunedWeights, latest: int) -> list[float | None]:
    """Returns the share of zeros that the update for step `latest` aimed at, for each weight."""
    final = pruned.schedule.target
    if final is None:
        return [None] * len(pruned.rows)
    if latest >= pruned.schedule.reached_at:
        return [final if target is None else target for target in pruned.targets]
    share = shares(pruned.schedule.at(latest), pruned.targets, final) if latest else 0.0
    return [float(one) for one in np.broadcast_to(ops.convert_to_numpy(share), len(pruned.rows))]


def _threshold(row: PrunedWeight, index: int, criterion: Criterion) -> float | None:
    """Returns the least score of a unit that stays."""
    axis = row.position.axis
    memory = None if row.memory is None else ops.convert_to_tensor(row.memory)
    scores = criterion.importance.score(ops.convert_to_tensor(row.weight), index, memory)
    mask = ops.cast(ops.convert_to_tensor(row.mask), scores.dtype)
    pooled = _numpy(criterion.granularity.pool(scores, axis))
    stays = _numpy(criterion.granularity.pool(mask, axis)) > 0
    candidates = pooled[stays & np.isfinite(pooled)]
    return float(candidates.min()) if candidates.size else None


def _numpy(tensor: Any) -> np.ndarray:
    """Returns the numbers as NumPy has them (it has no bfloat16)."""
    wide = keras.backend.standardize_dtype(tensor.dtype) == "float64"
    values = ops.convert_to_tensor(tensor)
    return np.asarray(ops.convert_to_numpy(values if wide else ops.cast(values, "float32")))
