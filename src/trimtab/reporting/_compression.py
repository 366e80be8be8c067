"""What a compression looked for, what it tried and what it found, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.reporting._data import FileRecord, Number

__all__ = ["BROKEN_BY", "Compression", "Link", "Shipped", "Tried"]

BROKEN_BY: Mapping[str, str] = {
    "max_size": "bytes",
    "max_latency": "latency_ms",
    "max_memory": "memory_bytes",
    "max_download": "gzip_bytes",
}
"""Which number of a file each upper limit is about."""


@dataclass(frozen=True)
class Link:
    """One technique of a chain, and what came out of it.

    Attributes:
        technique: as recorded: ``"network"``, ``"distill"``, ``"int8"``, ...
        what: in a few words, what was done.
        accuracy: share of the validation images, 0..1.
        taken: whether what came out was kept.
    """

    technique: str
    what: str = ""
    accuracy: float | None = None
    bytes: float | None = None
    gzip_bytes: float | None = None
    latency_ms: float | None = None
    seconds: float | None = None
    taken: bool = True


@dataclass(frozen=True)
class Tried:
    """A candidate that was looked at.

    Attributes:
        state: what became of it: ``"refused"``, ``"cut"``, ``"finalist"``, ``"failed"``, or where it was
            when the run stopped.
        why: a sentence where it did not go on.
        accuracy: of its best training, on the validation images; None: it was never trained.
        passes: how often it saw all training images.
        chain: its trainings.
    """

    number: int
    what: str
    state: str
    why: str = ""
    accuracy: float | None = None
    passes: float = 0.0
    numbers: Mapping[str, float] = field(default_factory=dict)
    chain: tuple[Link, ...] = ()
    explored_seconds: float = 0.0
    final_seconds: float = 0.0

    @property
    def trained(self) -> bool:
        """Whether it was trained at all."""
        return self.accuracy is not None


@dataclass(frozen=True)
class Shipped:
    """A deployable file that the search made.

    Attributes:
        accuracy: of the file on the validation images, with its 95 % interval.
        float_accuracy: of the model before it became a file.
        numbers: ``bytes``, ``gzip_bytes``, ``memory_bytes``, ``latency_ms``, ``parameters``, ``macs``, as far
            as known.
        trial: number of the candidate it was made of; None: the baseline, or not known.
        baseline: whether it is the baseline's own int8 file.
        front: whether no measured file beats it in accuracy, size and latency.
        spread: validation accuracies of the same chain from other seeds, ``(seed, accuracy)``.
        file: where it lies, relative to the run folder; the model likewise.
    """

    name: str
    what: str
    accuracy: Number | None
    float_accuracy: float | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    chain: tuple[Link, ...] = ()
    trial: int | None = None
    baseline: bool = False
    front: bool = False
    seeds: tuple[int, ...] = ()
    spread: tuple[tuple[int, float], ...] = ()
    file: str = ""
    model: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Compression:
    """A search for the best model that keeps a budget.

    Attributes:
        budget: the limits as they were written, by name.
        limits: the same in bytes, milliseconds and shares, as far as recorded.
        files: the baseline's first, then by size.
        tried: all candidates, by number.
        answered: whether there is an answer: a front, and a choice or the nearest misses.
        chosen: name of the file for the budget; None: nothing keeps it.
        why: a sentence that says why this one, or why none.
        misses: the nearest ones in words, where nothing keeps the budget.
        binds: the limits that stand in the way then.
        already: whether the baseline's own file keeps the budget.
        baseline_what: what the baseline is.
        baseline_accuracy: of the float model, on the validation images.
        baseline_seconds: of its training; None: it was given.
        stages: wall time by stage, where recorded.
        minutes: that the search was given.
        proofs: the record of each deployable file with its parity check, by name.
        ending: ``"done"``, ``"time"`` or ``"interrupted"``; empty where not recorded.
    """

    budget: Mapping[str, str]
    limits: Mapping[str, float]
    files: tuple[Shipped, ...] = ()
    tried: tuple[Tried, ...] = ()
    answered: bool = False
    chosen: str | None = None
    why: str = ""
    misses: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    already: bool = False
    notes: tuple[str, ...] = ()
    baseline_given: bool = False
    baseline_what: str = ""
    baseline_accuracy: float | None = None
    baseline_seconds: float | None = None
    stages: tuple[tuple[str, float], ...] = ()
    minutes: float | None = None
    jobs: int | None = None
    proofs: tuple[tuple[str, FileRecord], ...] = ()
    ending: str = ""

    @property
    def baseline_file(self) -> Shipped | None:
        """The baseline's own int8 file, once it was made."""
        return next((file for file in self.files if file.baseline), None)

    def file(self, name: str | None) -> Shipped | None:
        """Returns the file of that name, or None."""
        return next((file for file in self.files if file.name == name), None)

    def broken(self, file: Shipped) -> tuple[str, ...]:
        """Returns the limits that a file does not keep, as far as both are known."""
        over = [
            limit
            for limit, number in BROKEN_BY.items()
            if limit in self.limits
            and (value := file.numbers.get(number)) is not None
            and value > self.limits[limit]
        ]
        floor = self.limits.get("min_accuracy")
        if floor is not None and file.accuracy is not None and file.accuracy.value < floor:
            over.append("min_accuracy")
        return tuple(over)
