"""Which range each tensor gets: from what it holds on some images while nothing is rounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab import _keras_internals
from trimtab.errors import ConfigError, ModelError, nearest
from trimtab.quantization._fake_quantizer import FakeQuantizer
from trimtab.quantization._switches import switched
from trimtab.quantization._watching import batches

__all__ = ["METHODS", "Calibration", "best_range", "calibrate", "percentile_range"]

METHODS = ("minmax", "percentile", "mse")

_BINS = 2048
_SHARES = np.linspace(1.0, 0.1, 46)
"""Parts of the extremes that the search for the least error tries."""

Floats = npt.NDArray[np.float32]
Range = tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """How ranges are chosen.

    Args:
        method: ``"minmax"`` (the extremes), ``"percentile"`` (all but the outermost numbers), or
            ``"mse"`` (the least mean squared error of rounding and clipping together).
        percentile: share of the numbers, in percent, that the upper end is not exceeded by; likewise below.

    Raises:
        ConfigError: the method is unknown, or the percentile not between 50 and 100.
    """

    method: str = "minmax"
    percentile: float = 99.99

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(
                f"calibration_method={self.method!r} is not known; it must be one of {', '.join(METHODS)}."
                f"{nearest(str(self.method), METHODS)}"
            )
        number = isinstance(self.percentile, int | float) and not isinstance(self.percentile, bool)
        if not number or not 50 < self.percentile <= 100:
            raise ConfigError(
                "percentile is a number above 50 and at most 100, such as 99.99. "
                f"Received: {self.percentile!r}."
            )


@dataclass
class _Seen:
    """What one slot of a quantizer has seen."""

    low: float = 0.0
    high: float = 0.0
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def widen(self, numbers: Floats) -> None:
        """Takes the extremes of some numbers in."""
        self.low = min(self.low, float(numbers.min(initial=0.0)))
        self.high = max(self.high, float(numbers.max(initial=0.0)))

    def count(self, numbers: Floats) -> None:
        """Counts some numbers in bins between the extremes."""
        if self.high > self.low:
            self.counts += np.histogram(numbers, _BINS, (self.low, self.high))[0]

    def centres(self) -> npt.NDArray[np.float64]:
        """Returns the middle of each bin."""
        edges = np.linspace(self.low, self.high, _BINS + 1)
        return (edges[1:] + edges[:-1]) / 2


def calibrate(model: keras.Model, images: Floats, calibration: Calibration) -> None:
    """Sets the ranges of all quantizers of an aware model, in place, from what passes through them.

    The model runs in float meanwhile, with dropout off.

    Args:
        model: an aware model.
        images: float32 (n, height, width, channels), scaled as the model takes them.
        calibration: how ranges are chosen.

    Raises:
        ModelError: something that passes is NaN or infinite.
    """
    seen: dict[int, dict[int, _Seen]] = {}
    with switched(model, ()):
        _passed(model, images, seen, _Seen.widen)
        if calibration.method != "minmax":
            _passed(model, images, seen, _Seen.count)
    for layer in _keras_internals.all_layers(model):
        if isinstance(layer, FakeQuantizer) and id(layer) in seen:
            _set(layer, list(seen[id(layer)].values()), calibration)


def _passed(
    model: keras.Model,
    images: Floats,
    seen: dict[int, dict[int, _Seen]],
    note: Callable[[_Seen, Floats], None],
) -> None:
    """Runs the images through the model, and notes what each quantizer is given."""
    for batch in batches(images):
        calls: dict[int, int] = {}

        def visit(path: tuple[str, ...], layer: Any, given: Any) -> None:
            if not isinstance(layer, FakeQuantizer):
                return
            slot = calls.get(id(layer), 0)  # noqa: B023 - called before the loop goes on
            calls[id(layer)] = slot + 1  # noqa: B023
            numbers = np.asarray(keras.ops.convert_to_numpy(given), np.float32)
            if not np.isfinite(numbers).all():
                raise ModelError(
                    f"What passes through {'/'.join(path)!r} on the calibration images is NaN or infinite, "
                    "so that it has no range. Check the images, and that the training did not diverge."
                )
            note(seen.setdefault(id(layer), {}).setdefault(slot, _Seen()), numbers)

        _keras_internals.run_graph(model, keras.ops.convert_to_tensor(batch), visit, training=False)


def _set(layer: FakeQuantizer, slots: Sequence[_Seen], calibration: Calibration) -> None:
    """Chooses a quantizer's range."""
    low, high = min(slot.low for slot in slots), max(slot.high for slot in slots)
    chosen = _chosen(slots, (low, high), calibration, layer.bits)
    share = (chosen[0] / low if low < 0 else 1.0, chosen[1] / high if high > 0 else 1.0)
    # Each slot begins with the range of all, and a training follows its own from there.
    layer.set_range([chosen[0]] * layer.slots, [chosen[1]] * layer.slots, share)


def _chosen(slots: Sequence[_Seen], extremes: Range, calibration: Calibration, bits: int) -> Range:
    """Returns the range for all that the slots have seen."""
    if calibration.method == "minmax" or extremes[0] == extremes[1]:
        return extremes
    numbers = np.concatenate([slot.centres() for slot in slots])
    counts = np.concatenate([slot.counts for slot in slots])
    if calibration.method == "percentile":
        return percentile_range(numbers, counts, calibration.percentile)
    return best_range(numbers, counts, extremes, bits)


def percentile_range(
    numbers: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], percentile: float
) -> Range:
    """Returns the range that so many percent of the numbers do not exceed, at each end; 0 is in it.

    Args:
        numbers: the middle of each bin.
        counts: how many numbers are in it.
        percentile: above 50 and at most 100.
    """
    order = np.argsort(numbers)
    numbers, counts = numbers[order], counts[order]
    total = np.cumsum(counts)
    share = percentile / 100
    low = numbers[np.searchsorted(total, total[-1] * (1 - share), side="right").clip(0, len(numbers) - 1)]
    high = numbers[np.searchsorted(total, total[-1] * share).clip(0, len(numbers) - 1)]
    return min(float(low), 0.0), max(float(high), 0.0)


def best_range(
    numbers: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], extremes: Range, bits: int = 8
) -> Range:
    """Returns the part of a range with the least mean squared error of rounding and clipping.

    Args:
        numbers: the middle of each bin.
        counts: how many numbers are in it.
        extremes: the range that holds all.
        bits: bits of an integer.
    """
    low, high = extremes
    here = counts > 0
    numbers, counts = numbers[here], counts[here]

    def error(range_: Range) -> float:
        step = (range_[1] - range_[0]) / (2**bits - 1)
        zero = np.rint(-range_[0] / step)
        whole = np.clip(np.rint(numbers / step), -zero, 2**bits - 1 - zero) * step
        return float((counts * np.square(whole - numbers)).sum())

    best = (low, high)
    for _ in range(2):  # one end after the other, twice: they hardly depend on each other
        if high > 0:
            best = min(((best[0], high * share) for share in _SHARES), key=error)
        if low < 0:
            best = min(((low * share, best[1]) for share in _SHARES), key=error)
    return best
