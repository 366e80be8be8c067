"""One measured number: its unit, its uncertainty, and how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Measurement", "Predictions", "Row"]


@dataclass(frozen=True)
class Measurement:
    """One number and what it rests on.

    Args:
        name: what was measured, such as ``"latency_ms"``.
        value: the number; None where it could not be measured, and then `method` says why.
        unit: of value, low and high: ``"fraction"``, ``"bytes"``, ``"ms"``, ``"nats"``, ``"ratio"`` ...
        low: lower limit of the interval; None where the number is exact or has no interval.
        high: upper limit of the interval.
        confidence: of the interval.
        method: how the number was obtained, in one sentence.
    """

    name: str
    value: float | int | None
    unit: str
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    method: str = ""

    def excludes(self, number: float) -> bool:
        """Tells whether the interval leaves no room for a number; never so where there is no interval."""
        return self.low is not None and self.high is not None and not self.low <= number <= self.high

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.name}: not measured. {self.method}"
        limits = "" if self.low is None or self.high is None else f" [{self.low:.6g}, {self.high:.6g}]"
        return f"{self.name}: {self.value:.6g} {self.unit}{limits}"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says about each image, in the order of the split.

    Args:
        classes: (n,) int64, the class with the highest score.
        confidence: (n,) float32, its softmax probability.
    """

    classes: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Row:
    """All that was measured of one subject.

    Args:
        name: of the subject.
        kind: ``"keras"`` for a Keras model, ``"litert"`` for a deployable file.
        measurements: by name; see `trimtab.benchmarking.benchmark` for the names.
        notes: what one must know to read the numbers rightly.
        samples: the samples behind an interval, by measurement: for ``"latency_ms"`` the median of each
            round, in milliseconds. Rounds pair up across the rows of a result.
    """

    name: str
    kind: str
    measurements: dict[str, Measurement]
    notes: tuple[str, ...] = ()
    samples: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def value(self, name: str) -> float | int | None:
        """Gives the value of a measurement; None where it was not taken or could not be."""
        measurement = self.measurements.get(name)
        return None if measurement is None else measurement.value
