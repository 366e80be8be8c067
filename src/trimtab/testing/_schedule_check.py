"""What every sparsity schedule must do."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.pruning import Schedule
from trimtab.testing._demand import compiled, demand, demand_data, demand_is, values

__all__ = ["check_schedule"]


def check_schedule(schedule: Schedule, *, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Checks that a pruning run can follow a schedule.

    It must be a frozen dataclass that Keras saves and loads. Its sparsity must be a float32 scalar in
    [0, 1) that never falls, must reach the target at the update where the schedule says so, and must be
    the same for a Python integer and for a step counter in a compiled step.

    Args:
        schedule: the schedule to check.
        custom_objects: what Keras needs to load it, where its class is not registered.

    Raises:
        AssertionError: the schedule breaks the contract; the message says how.

    Example:
        >>> check_schedule(ConstantSparsity(0.5))
    """
    demand_is(schedule, Schedule)
    demand_data(schedule, custom_objects)
    name = type(schedule).__name__
    end = schedule.reached_at
    demand(
        isinstance(end, int) and not isinstance(end, bool) and end >= 1,
        f"{name}.reached_at must be a training batch, counted from 1, but is {end!r}.",
    )
    steps = sorted({1, 2, 3, *(int(step) for step in np.linspace(1, end + 100, 40)), end, end + 1})
    shares = _check_shares(schedule, steps)
    _check_target(schedule, shares[end])
    _check_compiled(schedule, [*steps[::4], end])
    _check_masks(schedule, end)


def _check_shares(schedule: Schedule, steps: Sequence[int]) -> dict[int, float]:
    """Checks the sparsities at `steps`, and returns them."""
    name = type(schedule).__name__
    shares = {}
    for step in steps:
        value = schedule.at(step)
        shape, dtype = tuple(value.shape), keras.backend.standardize_dtype(value.dtype)
        demand(
            shape == () and dtype == "float32",
            f"{name}.at({step}) must be a float32 scalar, but is {dtype} of shape {shape}.",
        )
        shares[step] = float(values(value))
        demand(
            0 <= shares[step] < 1,
            f"{name}.at({step}) is {shares[step]!r}, but a sparsity is at least 0 and below 1.",
        )
    for before, after in itertools.pairwise(steps):
        demand(
            shares[before] <= shares[after],
            f"{name} falls from {shares[before]:.6g} at step {before} to {shares[after]:.6g} at {after}.",
        )
    return shares


def _check_target(schedule: Schedule, reached: float) -> None:
    """Checks that the final sparsity is reached by an update, where the schedule says."""
    name, end, target = type(schedule).__name__, schedule.reached_at, schedule.target
    demand(
        bool(values(ops.convert_to_tensor(schedule.updates(end)))),
        f"{name} says that it is done at step {end}, but makes no update there.",
    )
    if target is not None:
        demand(
            reached == float(np.float32(target)),
            f"{name} has the target {target!r}, but its sparsity at step {end} is {reached!r}.",
        )


def _check_compiled(schedule: Schedule, steps: Sequence[int]) -> None:
    """Checks that a compiled step sees what Python sees."""
    name = type(schedule).__name__
    at, updates = compiled(schedule.at), compiled(schedule.updates)
    for step in steps:
        counter = ops.convert_to_tensor(step, "int32")
        inside, outside = float(values(at(counter))), float(values(schedule.at(step)))
        # A compiler may fuse a multiplication and an addition: one unit in the last place.
        demand(
            abs(inside - outside) <= 2e-7,
            f"{name}.at({step}) is {outside!r}, but {inside!r} in a compiled step.",
        )
        due = bool(values(updates(counter))), bool(values(ops.convert_to_tensor(schedule.updates(step))))
        demand(
            due[0] == due[1],
            f"{name}.updates({step}) is {due[1]}, but {due[0]} in a compiled step.",
        )


def _check_masks(schedule: Schedule, step: int) -> None:
    """Checks that the masks are of 0 and 1, of each weight's shape and dtype."""
    name = type(schedule).__name__
    random = np.random.default_rng(0)
    weights = [
        ops.convert_to_tensor(random.normal(size=(4, 6)).astype("float32")),
        ops.cast(ops.convert_to_tensor(random.normal(size=(3, 3, 2, 5)).astype("float32")), "float16"),
    ]
    masks = schedule.masks(weights, step)
    demand(len(masks) == len(weights), f"{name}.masks gives {len(masks)} masks for {len(weights)} weights.")
    for weight, mask in zip(weights, masks, strict=True):
        demand(
            tuple(mask.shape) == tuple(weight.shape) and mask.dtype == weight.dtype,
            f"{name}.masks gives {mask.dtype} of shape {tuple(mask.shape)} for a weight that is "
            f"{weight.dtype} of shape {tuple(weight.shape)}.",
        )
        demand(np.isin(values(mask), (0, 1)).all(), f"{name}.masks gives numbers that are neither 0 nor 1.")
