"""What a report shows, as plain data: read from a run folder, drawn by the charts and the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trimtab.benchmarking import BehaviourResult
    from trimtab.reporting._aware import QuantizeAware
    from trimtab.reporting._behaviour import ChangedImages
    from trimtab.reporting._channels import ChannelPruning
    from trimtab.reporting._clustering import Clustering
    from trimtab.reporting._compression import Compression
    from trimtab.reporting._distillation import Distillation
    from trimtab.reporting._quantization_scan import MixedPrecision, QuantizationScan
    from trimtab.reporting._tuning import Tuning

__all__ = [
    "ClassScore",
    "ConfusedPair",
    "Confusion",
    "EpochPoint",
    "FileRecord",
    "LayerZeros",
    "Mistakes",
    "Number",
    "ReportData",
    "ResultRow",
    "Scan",
    "ScanLayer",
    "ScanPoint",
    "Step",
]


@dataclass(frozen=True)
class Number:
    """One measured number with its interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    method: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The low and high end, or None where no interval was measured."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class EpochPoint:
    """One epoch of a training: accuracies as shares 0..1; None where nothing was recorded."""

    epoch: int
    loss: float | None = None
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None


@dataclass(frozen=True)
class LayerZeros:
    """How many of a layer's weights are zero after pruning, and what share was asked for."""

    name: str
    weight: str
    size: int
    zeros: int
    asked: float | None = None

    @property
    def share(self) -> float:
        """Zeros as a share of all weights, 0..1."""
        return self.zeros / self.size if self.size else 0.0


@dataclass(frozen=True)
class FileRecord:
    """A deployable file and the parity check that it passed.

    Attributes:
        scheme: how numbers are stored: ``"float32"``, ``"int8"``, ...
        path: where the file lies, relative to the run folder; empty where that is not known.
        parity: the fields of the check, as recorded.
    """

    scheme: str
    path: str = ""
    bytes: int | None = None
    gzip_bytes: int | None = None
    sha256: str = ""
    parity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ScanPoint:
    """One layer pruned alone to one level: shares 0..1; None where nothing was recorded.

    Attributes:
        level: share of the layer's weights that was asked to be zero.
        change: accuracy less that of the whole model, with the interval of the pair.
        loss: mean cross-entropy in nats.
    """

    level: float
    accuracy: Number | None = None
    change: Number | None = None
    loss: float | None = None


@dataclass(frozen=True)
class ScanLayer:
    """How much one layer hurts when it is pruned alone."""

    name: str
    size: int
    points: tuple[ScanPoint, ...]

    def at(self, level: float) -> ScanPoint:
        """Returns the point of a level; an empty one where it was not tried."""
        return next((point for point in self.points if point.level == level), ScanPoint(level))


@dataclass(frozen=True)
class Scan:
    """A sensitivity scan: the whole model, and each layer pruned alone, on the same validation images."""

    accuracy: Number | None
    loss: float | None
    images: int
    granularity: str
    importance: str
    layers: tuple[ScanLayer, ...]

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels that were tried, rising."""
        return tuple(sorted({point.level for layer in self.layers for point in layer.points}))


@dataclass(frozen=True)
class Step:
    """One step of the recipe: what was asked, and what it did where it is done.

    Attributes:
        source: name of the step whose model it started from; None where it started afresh.
        did: one line that says what was done.
        note: what the recipe's writer says of it.
        remarks: what the step recorded beside numbers: ``(name, value)`` in words.
        skipped: what was left alone, and why.
        missed: what pruning did not reach of what was asked for; one sentence each.
        channels: what removing channels left of each group.
        distillation: how the student was taught.
        quantization: which layers quantizing hurts.
        mixed: which layers are to stay float.
        aware: how it was trained for integers.
        clustering: how its weights came to share values.
        tuning: what was tried, where it searched.
        weights: where the weights of a new model came from, in words.
    """

    name: str
    do: str
    source: str | None = None
    finished: bool = False
    did: str = ""
    note: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    history: tuple[EpochPoint, ...] = ()
    best_epoch: int | None = None
    training_seconds: float | None = None
    layers: tuple[LayerZeros, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    missed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()
    file: FileRecord | None = None
    scan: Scan | None = None
    channels: ChannelPruning | None = None
    distillation: Distillation | None = None
    quantization: QuantizationScan | None = None
    mixed: MixedPrecision | None = None
    aware: QuantizeAware | None = None
    clustering: Clustering | None = None
    tuning: Tuning | None = None
    weights: str = ""
    summary: str = ""
    parameters: int | None = None
    non_zeros: int | None = None
    macs: int | None = None
    keras_bytes: int | None = None


@dataclass(frozen=True)
class ResultRow:
    """One measured model or file: a line of the result table.

    Attributes:
        kind: ``"keras"`` for a Keras model, ``"litert"`` for a deployable file.
        scheme: the file's scheme; empty for a Keras model.
        numbers: measurements by key (``accuracy``, ``bytes``, ``latency_ms``, ...).
        keras_bytes: size of the Keras file that it is, or was made from.
    """

    name: str
    kind: str
    scheme: str = ""
    did: str = ""
    numbers: Mapping[str, Number] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    keras_bytes: int | None = None
    verdict: str = ""

    def value(self, key: str) -> float | None:
        """Returns the measured value under `key`, or None where it was not measured."""
        number = self.numbers.get(key)
        return None if number is None else number.value


@dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that were taken for another; `share` is of the true class's images."""

    true: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class ClassScore:
    """How well one class is recognised; None where nothing can be said (no image, no prediction)."""

    name: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of one model: ``counts[true][predicted]``."""

    row: str
    counts: tuple[tuple[int, ...], ...]
    pairs: tuple[ConfusedPair, ...]
    scores: tuple[ClassScore, ...]


@dataclass(frozen=True, eq=False)
class Mistakes:
    """The most confident mistakes: images (k, h, w, c) uint8, class numbers (k,), confidences (k,) 0..1."""

    row: str
    images: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    confidence: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that a report shows, read back from one run folder.

    Attributes:
        headline: the result in one sentence.
        featured: name of the row that the confusion matrix and the mistakes are about.
        baseline: name of the row that the others are compared with.
        samples: path of the sample sheet relative to the folder; empty where there is none.
        curves: names of the steps whose training curves are compared; empty for all that trained.
        missing: what an unfinished run does not have yet, in words.
        compression: the search for a budget, where the run is one.
    """

    folder: Path
    name: str
    title: str
    description: str
    project: str
    complete: bool
    steps: tuple[Step, ...]
    class_names: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    data: Mapping[str, Any]
    samples: str
    created: str
    finished: str | None
    seconds: float | None
    seed: int | None
    command: str
    version: str
    machine: Mapping[str, Any]
    versions: Mapping[str, Any]
    recipe_file: str
    curves: tuple[str, ...] = ()
    headline: str = ""
    rows: tuple[ResultRow, ...] = ()
    baseline: str | None = None
    featured: str | None = None
    confusion: Confusion | None = None
    mistakes: Mistakes | None = None
    behaviour: BehaviourResult | None = None
    changed: ChangedImages | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    compression: Compression | None = None

    def row(self, name: str | None) -> ResultRow | None:
        """Returns the row of that name, or None."""
        return next((row for row in self.rows if row.name == name), None)

    def step(self, name: str | None) -> Step | None:
        """Returns the step of that name, or None."""
        return next((step for step in self.steps if step.name == name), None)
