"""What every granularity must do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from trimtab.pruning import Criterion, Granularity
from trimtab.testing._demand import compiled, demand, demand_data, demand_is, values

__all__ = ["check_granularity"]

_PLACES: tuple[tuple[tuple[int, ...], int | None], ...] = (
    ((9, 7), -2),  # dense, of sizes that little divides
    ((2, 2, 8, 6), -2),  # convolution
    ((2, 1, 7, 8), -1),  # transposed convolution: inputs last
    ((6, 2, 5), 0),  # einsum: inputs first
    ((3, 3, 8, 1), None),  # depthwise: no input channels to sum over
)
_SHARES = (0.0, 0.2, 0.45, 0.5, 0.7, 0.93)


def check_granularity(granularity: Granularity, *, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Checks that weights can be pruned with a granularity.

    It must be a frozen dataclass that Keras saves and loads. For each kernel that it does not refuse:
    its units are disjoint and cover the weight; as many go as the sparsity asks for, ties all stay, and
    what went at a lower sparsity is gone at a higher one; a compiled step does the same.

    Args:
        granularity: the granularity to check.
        custom_objects: what Keras needs to load it, where its class is not registered.

    Raises:
        AssertionError: the granularity breaks the contract; the message says how.

    Example:
        >>> check_granularity(Blocks(4, 1))
    """
    demand_is(granularity, Granularity)
    demand_data(granularity, custom_objects)
    name = type(granularity).__name__
    demand(isinstance(granularity.name, str) and granularity.name, f"{name}.name must be a short text.")
    used = 0
    for shape, axis in _PLACES:
        reason = granularity.refuses(shape, axis)
        if reason is None:
            used += 1
            _Place(granularity, shape, axis).check()
        else:
            demand(
                isinstance(reason, str) and reason,
                f"{name}.refuses must say why, or give None, but for shape {shape} it gave {reason!r}.",
            )
    demand(used, f"{name} refuses all of {', '.join(str(shape) for shape, _ in _PLACES)}.")


class _Place:
    """A granularity on a weight of one shape."""

    def __init__(self, granularity: Granularity, shape: tuple[int, ...], axis: int | None) -> None:
        self.granularity, self.shape, self.axis = granularity, shape, axis
        self.where = f"{type(granularity).__name__} on a weight of shape {shape} with input axis {axis}"
        random = np.random.default_rng(math.prod(shape))
        self.step = compiled(self.choose)
        self.weight = random.normal(size=shape).astype("float32")

    def check(self) -> None:
        """Raises `AssertionError` where the granularity breaks the contract on this weight."""
        self._check_units()
        self._check_counts()
        self._check_ties()
        self._check_masks()

    def masks(self, weight: np.ndarray, sparsity: float, dtype: str = "float32") -> np.ndarray:
        """Returns the mask that keeps the largest magnitudes, as a compiled step chooses it."""
        tensor = ops.cast(ops.convert_to_tensor(weight), dtype)
        mask = self.step(tensor, ops.convert_to_tensor(sparsity, "float32"))
        demand(
            mask.dtype == tensor.dtype and tuple(mask.shape) == self.shape,
            f"{self.where}: the mask is {mask.dtype} of shape {tuple(mask.shape)}.",
        )
        return values(mask)

    def choose(self, weight: Any, sparsity: Any) -> Any:
        """Returns the mask that keeps the largest magnitudes."""
        return Criterion(self.granularity).masks([weight], sparsity, axes=[self.axis])[0]

    def _check_units(self) -> None:
        """Checks that the units are disjoint, and cover the weight."""
        units = self.granularity.units(self.shape, self.axis)
        pooled = self.granularity.pool(ops.convert_to_tensor(np.abs(self.weight)), self.axis)
        grid = tuple(pooled.shape)
        demand(
            isinstance(units, int) and units >= 1 and math.prod(grid) == units,
            f"{self.where}: units() says {units!r}, but pool() gives scores of shape {grid}.",
        )
        demand((values(pooled) >= 0).all(), f"{self.where}: pool() gives scores below 0, or NaN.")
        owners = np.zeros(self.shape, int)
        sample = range(units) if units <= 64 else range(0, units, units // 32)
        for unit in sample:
            alone = np.zeros(units, bool)
            alone[unit] = True
            spread = self._spread(alone.reshape(grid))
            demand(spread.any(), f"{self.where}: unit {unit} holds no weight.")
            owners += spread
        demand(owners.max() <= 1, f"{self.where}: a weight lies in two units.")
        if units <= 64:
            demand(owners.min() == 1, f"{self.where}: a weight lies in no unit.")
        demand(self._spread(np.ones(grid, bool)).all(), f"{self.where}: all units stay, but not all weights.")
        sizes = self.granularity.unit_sizes(self.shape, self.axis)
        demand(
            sum(sizes.values()) <= units and sum(w * u for w, u in sizes.items()) <= self.weight.size,
            f"{self.where}: unit_sizes() says {sizes}, which is more than {units} units.",
        )

    def _spread(self, kept: np.ndarray) -> np.ndarray:
        """Returns the choice of units as a choice of weights."""
        spread = self.granularity.spread(ops.convert_to_tensor(kept), self.shape, self.axis)
        demand(
            tuple(spread.shape) == self.shape,
            f"{self.where}: spread() gives shape {tuple(spread.shape)}.",
        )
        found = values(spread)
        demand(found.dtype == bool, f"{self.where}: spread() gives {found.dtype}, not true and false.")
        return found

    def _check_counts(self) -> None:
        """Checks that as many weights go as the sparsity asks for, and never back as it climbs."""
        limit = self.granularity.limit(self.shape, self.axis)
        demand(0 < limit < 1, f"{self.where}: limit() is {limit!r}, no share between 0 and 1.")
        kept = []
        for share in (*_SHARES, limit):
            mask = self.masks(self.weight, min(share, 0.999))
            zeros = int((mask == 0).sum())
            fewest = self.granularity.zeros(self.shape, self.axis, min(share, 0.999))
            largest = max(self.granularity.unit_sizes(self.shape, self.axis))
            exact = largest == 1
            demand(
                zeros == fewest if exact else zeros >= fewest,
                f"{self.where}: {zeros} weights go at sparsity {share}, but zeros() says {fewest}.",
            )
            demand(
                zeros <= limit * self.weight.size + 1e-6,
                f"{self.where}: {zeros} of {self.weight.size} weights go, more than limit() of {limit:.6g}.",
            )
            kept.append((share, mask))
        for (low, before), (high, after) in itertools.pairwise(sorted(kept, key=lambda pair: pair[0])):
            demand(
                (after <= before).all(),
                f"{self.where}: a weight that goes at sparsity {low} comes back at {high}.",
            )

    def _check_ties(self) -> None:
        """Checks that equal units stay together."""
        share = min(0.4, (self.granularity.pattern_from or 1) / 2)
        mask = self.masks(np.ones(self.shape, "float32"), share)
        demand(mask.all(), f"{self.where}: all weights are equal, but {int((mask == 0).sum())} of them go.")

    def _check_masks(self) -> None:
        """Checks compiled steps, narrow floats, and axes counted from the front."""
        plain = self.masks(self.weight, 0.45)
        outside = values(self.choose(ops.convert_to_tensor(self.weight), 0.45))
        demand(np.array_equal(plain, outside), f"{self.where}: a compiled step gives another mask.")
        self.masks(self.weight, 0.45, "bfloat16")
        if self.axis is not None:
            scores = ops.convert_to_tensor(np.abs(self.weight))
            one, other = (self.granularity.pool(scores, a) for a in (self.axis, self.axis % len(self.shape)))
            demand(
                np.array_equal(values(one), values(other)),
                f"{self.where}: the axis counted from the front gives other scores.",
            )
