"""What a compression hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.compression._answer import Answer, Point

if TYPE_CHECKING:
    from trimtab.benchmarking import BenchmarkResult

__all__ = ["CompressionResult"]


@dataclass(frozen=True)
class CompressionResult:
    """The best model for a budget, and the front it was chosen from.

    Args:
        folder: of the run; everything lies there.
        answer: the front, the choice and the reason.
        benchmark: the test images, touched once: the baseline's files and the front side by side.
        ending: ``"done"``, ``"time"`` (the time was up) or ``"interrupted"`` (by Ctrl-C).
        seconds: that the search took, over all processes.
        trials: how many candidates were looked at; how many of them were trained.
        notes: what else there is to say.
    """

    folder: Path
    answer: Answer
    benchmark: BenchmarkResult = field(repr=False)
    ending: str
    seconds: float
    trials: tuple[int, int]
    notes: tuple[str, ...] = ()

    @property
    def front(self) -> tuple[Point, ...]:
        """The files that no measured one dominates, smallest first."""
        return self.answer.front

    @property
    def best(self) -> Point | None:
        """The file chosen for the budget; None: nothing keeps it."""
        return self.answer.point(self.answer.chosen)

    @property
    def file(self) -> Path | None:
        """``best.tflite`` in the folder; None: nothing keeps the budget."""
        return self.folder / "best.tflite" if self.best is not None else None

    @property
    def model(self) -> Any:
        """The chosen model, loaded from ``best.keras``; None: nothing keeps the budget."""
        if self.best is None:
            return None
        from trimtab.models import load_model

        return load_model(self.folder / "best.keras")

    def __str__(self) -> str:
        lines = [self.answer.why, *(miss.sentence for miss in self.answer.misses), *self.notes]
        return "\n".join([str(self.benchmark), *lines])
