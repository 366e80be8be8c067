"""Weights whose numbers share values: which number belongs to which group, and what a step makes of them.

A group's number is written down for each number of a weight: 0 for those that go their own way, 1 for zeros
that stay zero, 2 and more for those that share one value.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

__all__ = ["FREE", "ZERO", "SharedWeight", "groups_of", "looks_shared", "shared_gradient", "shared_value"]

FREE, ZERO = 0, 1

_FEW = 0.5  # no more different values than this share of the numbers: nobody trained them to be so


@dataclasses.dataclass(frozen=True, eq=False)
class SharedWeight:
    """A weight with groups.

    Attributes:
        variable: the weight.
        groups: group of each number, in the weight's shape; see this file's first lines.
    """

    variable: Any
    groups: npt.NDArray[np.int32]


def groups_of(values: npt.NDArray[Any], *, zeros: bool = True, shared: bool = True) -> npt.NDArray[np.int32]:
    """Puts equal numbers into one group.

    Args:
        values: a weight's values.
        zeros: whether those that are exactly zero stay zero; if not, they are a value like any other.
        shared: whether the others share; if not, they go their own way.

    Returns:
        The group of each number, in the same shape.
    """
    groups = np.zeros(values.shape, np.int32)
    held = values == 0 if zeros else np.zeros(values.shape, bool)
    if shared:
        known = np.unique(values[~held])
        groups = np.searchsorted(known, values).astype(np.int32) + np.int32(2)
    groups[held] = ZERO
    return groups


def looks_shared(values: npt.NDArray[Any]) -> bool:
    """Tells whether a weight's numbers share values, zero aside.

    Numbers that were trained freely may be equal too: two of many millions meet by chance. So at most half
    as many different values as numbers are asked for. One value alone is none that was learned.
    """
    others = values[values != 0]
    return 1 < int(np.unique(others).size) <= _FEW * int(others.size)


def shared_gradient(gradient: Any, groups: Any, shares: Any, *, total: bool) -> Any:
    """Gives each number of a group the same gradient: the sum of theirs, or the mean.

    Args:
        gradient: of the weight.
        groups: of its numbers, flat.
        shares: for each group 1 over how many it has; 0 for groups that share nothing.
        total: the sum; else the mean.
    """
    flat = ops.reshape(gradient, (-1,))
    wide = _widened(flat)
    factors = ops.cast(ops.sign(shares) if total else shares, wide.dtype)
    sums = ops.segment_sum(wide, groups, num_segments=int(shares.shape[0]))
    given = ops.take(ops.multiply(sums, factors), groups, axis=0)
    own = ops.where(ops.equal(groups, FREE), wide, given)
    return ops.reshape(ops.cast(own, flat.dtype), gradient.shape)


def shared_value(value: Any, groups: Any, leaders: Any, shares: Any) -> Any:
    """Gives each number of a group the group's mean, and zero to zeros; free numbers stay.

    The mean is taken of the distances from one member, the leader: where all are equal already, as after a
    step of an optimizer that treats each number alike, it is exact, and nothing drifts.

    Args:
        value: of the weight.
        groups: of its numbers, flat.
        leaders: for each group the place of one member.
        shares: see `shared_gradient`.
    """
    flat = ops.reshape(value, (-1,))
    wide = _widened(flat)
    lead = ops.take(wide, leaders, axis=0)
    apart = ops.subtract(wide, ops.take(lead, groups, axis=0))
    sums = ops.segment_sum(apart, groups, num_segments=int(shares.shape[0]))
    factors = ops.cast(shares, wide.dtype)
    means = ops.add(lead, ops.multiply(sums, factors))
    means = ops.where(ops.greater(factors, 0), means, ops.zeros_like(means))
    kept = ops.where(ops.equal(groups, FREE), wide, ops.take(means, groups, axis=0))
    return ops.reshape(ops.cast(kept, flat.dtype), value.shape)


def _widened(values: Any) -> Any:
    """Returns values in which many can be added up: a half float would lose small ones."""
    half = keras.backend.standardize_dtype(values.dtype) in ("float16", "bfloat16")
    return ops.cast(values, "float32") if half else values
