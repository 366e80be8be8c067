"""Sparsity allocation: one total shared out over layers, so that none is hurt more than the others.

It fills like water. The level is the increase of the loss that is tolerated, the same for all layers; each
layer takes the largest share of zeros that costs it no more than that, between measured points by straight
lines. The level rises until the total is reached. All curves are made of straight pieces, and so is the
total: where it has its corners is known, and between two corners the shares are found exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab.errors import ConfigError

__all__ = ["Curve", "allocate"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """What pruning one layer alone costs.

    Args:
        size: how many weights the layer has that may be pruned.
        levels: shares of zeros that were tried, rising, in (0, 1).
        increases: the loss at each of them, less the loss of the whole model.
        limit: the largest share of zeros that the layer can have.
    """

    size: int
    levels: tuple[float, ...]
    increases: tuple[float, ...]
    limit: float = 1.0


def allocate(curves: Sequence[Curve], sparsity: float, floor: float, ceiling: float) -> list[float]:
    """Shares a total sparsity out over layers.

    A loss that falls, or falls again, as more weights go is noise: a layer is taken to be hurt by what hurt
    it at a lower share. Beyond the highest share that was tried each layer is taken to be hurt as quickly as
    the worst of them was anywhere.

    Args:
        curves: one for each layer.
        sparsity: share of zeros in all layers together.
        floor: least share of each layer.
        ceiling: largest share of each layer.

    Returns:
        The share of each layer; weighted by the sizes they make exactly `sparsity`.

    Raises:
        ConfigError: the total cannot be made between the bounds.
    """
    sizes = np.array([curve.size for curve in curves], np.float64)
    knots = [_knots(curve) for curve in curves]
    steepest = max(float((np.diff(y) / np.diff(x)).max()) for x, y in knots)
    bounds = [min(ceiling, curve.limit) for curve in curves]
    lines = [
        _between(x, y, min(floor, bound), bound, steepest)
        for (x, y), bound in zip(knots, bounds, strict=True)
    ]
    corners = np.unique(np.concatenate([y for _, y in lines]))
    # At a corner some layers may go on for nothing: the shares before that and after it.
    states = np.array([[side(x, y, c) for x, y in lines] for c in corners for side in (_least, _most)])
    totals = states @ sizes / sizes.sum()
    if not totals[0] - 1e-12 <= sparsity <= totals[-1] + 1e-12:
        raise ConfigError(
            f"A total sparsity of {sparsity!r} cannot be shared out: with floor={floor!r} and "
            f"ceiling={ceiling!r} the layers that were scanned can have from {totals[0]:.4g} to "
            f"{totals[-1]:.4g} zeros together. Ask for a total in between, or move the bounds."
        )
    after = min(max(int(np.searchsorted(totals, sparsity)), 1), len(totals) - 1)
    room = totals[after] - totals[after - 1]
    part = min(max((sparsity - totals[after - 1]) / room, 0.0), 1.0) if room > 0 else 0.0
    shares = states[after - 1] + part * (states[after] - states[after - 1])
    return [float(share) for share in shares]


def _knots(curve: Curve) -> tuple[Floats, Floats]:
    """Returns the curve's corners: shares from 0 on, and increases that never fall."""
    x = np.array([0.0, *curve.levels])
    y = np.maximum.accumulate([0.0, *curve.increases])
    return x, y


def _between(x: Floats, y: Floats, low: float, high: float, steepest: float) -> tuple[Floats, Floats]:
    """Returns the curve from `low` to `high`, drawn on beyond its end where that is needed."""
    if high > x[-1]:
        x, y = np.append(x, high), np.append(y, y[-1] + steepest * (high - x[-1]))
    inside = (x > low) & (x < high)
    ends = np.interp([low, high], x, y)
    if high <= low:
        return np.array([low]), ends[:1]
    return np.array([low, *x[inside], high]), np.array([ends[0], *y[inside], ends[1]])


def _least(x: Floats, y: Floats, increase: float) -> float:
    """Returns the smallest share that costs as much as `increase`, or the largest one if none does."""
    after = int(np.searchsorted(y, increase, side="left"))
    return _at(x, y, after, increase)


def _most(x: Floats, y: Floats, increase: float) -> float:
    """Returns the largest share that costs no more than `increase`, or the smallest one if all do."""
    after = int(np.searchsorted(y, increase, side="right"))
    return _at(x, y, after, increase)


def _at(x: Floats, y: Floats, after: int, increase: float) -> float:
    """Returns the share at an increase between the corners `after - 1` and `after`."""
    if after == 0:
        return float(x[0])
    if after == len(x):
        return float(x[-1])
    part = (increase - y[after - 1]) / (y[after] - y[after - 1])
    return float(x[after - 1] + part * (x[after] - x[after - 1]))
