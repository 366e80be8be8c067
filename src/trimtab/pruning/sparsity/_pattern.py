"""Zeros that a granularity has a use for: those of whole blocks, or those of complete N:M groups.

Zeros strewn about are no block and no pattern, however many they are.
"""

from __future__ import annotations

import numpy as np
from keras import ops

from trimtab.pruning.criteria._granularity import Granularity, Unstructured
from trimtab.pruning.criteria._n_of_m import NM
from trimtab.pruning.where._prunable import PrunableWeight, as_numpy

__all__ = ["zeros_in_pattern"]


def zeros_in_pattern(weight: PrunableWeight, granularity: Granularity) -> tuple[int, float] | None:
    """Counts the zeros that lie where a granularity puts them.

    Args:
        weight: the weight; the granularity must not refuse it.
        granularity: what goes together.

    Returns:
        Zeros that count: for blocks, those of blocks that are wholly zero; for N:M, in each group no more
        than ``m - n``. And the share of units in the pattern: of blocks that are wholly zero; of groups with
        at most n numbers that are not. None for single weights, which have no pattern.
    """
    if isinstance(granularity, Unstructured):
        return None
    present = (as_numpy(weight.variable) != 0).astype("float32")
    # A unit whose score is zero is one that has gone; N:M gives infinity to those that always stay.
    scores = granularity.pool(ops.convert_to_tensor(present), weight.axis)
    gone = ops.equal(scores, 0)
    fitting = ops.convert_to_numpy(granularity.spread(gone, weight.shape, weight.axis))
    zeros = int(np.count_nonzero(fitting))
    if isinstance(granularity, NM):
        return zeros, _complete(present, weight.axis, granularity)
    return zeros, float(np.mean(ops.convert_to_numpy(gone)))


def _complete(present: np.ndarray, axis: int | None, granularity: NM) -> float:
    """Returns the share of groups along the inputs with at most n numbers that are not zero."""
    rows = np.moveaxis(present, -1 if axis is None else axis, -1)
    rows = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, -rows.shape[-1] % granularity.m)])
    return float(np.mean(rows.reshape(-1, granularity.m).sum(axis=1) <= granularity.n))
