"""What a tuning found: every trial, the best one, and what made the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trimtab.tuning._trial import Trial

if TYPE_CHECKING:
    from trimtab.training import History

__all__ = ["TrialResult", "TuningResult", "best_of", "front_of", "trial_result"]


@dataclass(frozen=True)
class TrialResult:
    """What became of one trial.

    Args:
        number: from 0; 0 is the baseline, with the space's defaults.
        state: "complete"; "cut" short, since it was hopeless; "failed"; or "unfinished": the search ended.
        values: its setting.
        val_accuracy: share of the validation images classified rightly after its best epoch, 0 to 1; of a
            trial that was cut short the best so far.
        low: lower end of the 95 % interval (Wilson) of `val_accuracy`.
        high: its upper end.
        val_loss: loss on the validation images after that epoch.
        best_epoch: number of that epoch, from 1.
        epochs: how many it trained.
        curve: validation accuracy after each epoch.
        parameters: of the network.
        macs: multiply-accumulates for one image.
        seconds: training time.
        why: why it was cut short or failed; otherwise empty.
    """

    number: int
    state: Literal["complete", "cut", "failed", "unfinished"]
    values: Mapping[str, Any]
    val_accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    val_loss: float | None = None
    best_epoch: int | None = None
    epochs: int = 0
    curve: tuple[float, ...] = ()
    parameters: int | None = None
    macs: int | None = None
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True)
class TuningResult:
    """What a tuning found.

    Args:
        model: the model of the best trial, as it was after that trial's best epoch: an ordinary Keras model.
        history: how it was trained.
        best: number of the best trial; of several objectives, of the most accurate one.
        trials: every trial; the first is the baseline.
        front: numbers of the trials that no other beats in every objective; with one, the best alone.
        objectives: what was searched for.
        importances: share of the differences in validation accuracy that each parameter explains; empty where
            too few trials were finished.
        ending: why the search ended: "done", "time" or "interrupted".
        seconds: how long it took.
        notes: plain sentences about it.
        folder: where it all is; None where it was a temporary folder.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    history: History = field(metadata={"record": False}, repr=False)
    best: int
    trials: tuple[TrialResult, ...]
    front: tuple[int, ...]
    objectives: tuple[str, ...]
    importances: Mapping[str, float]
    ending: Literal["done", "time", "interrupted"]
    seconds: float
    notes: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def baseline(self) -> TrialResult:
        """The first trial, with the space's defaults."""
        return self.trials[0]

    @property
    def winner(self) -> TrialResult:
        """The best trial."""
        return self.trials[self.best]


def trial_result(trial: Trial, images: int) -> TrialResult:
    """Returns what a study knows of a trial.

    Args:
        trial: of the study.
        images: how many validation images there are.
    """
    # It imports SciPy, which the settings of recipes that only name this room can do without.
    from trimtab._statistics import wilson_interval

    facts, curve = trial.facts, tuple(trial.reports.values())
    accuracy = facts.get("val_accuracy", max(curve, default=None))
    sure = None if accuracy is None else wilson_interval(round(accuracy * images), images)
    return TrialResult(
        trial.number,
        "unfinished" if trial.state == "running" else trial.state,
        trial.values,
        accuracy,
        None if sure is None else sure.low,
        None if sure is None else sure.high,
        facts.get("val_loss"),
        facts.get("best_epoch", curve.index(accuracy) + 1 if accuracy in curve else None),
        facts.get("epochs", len(curve)),
        curve,
        facts.get("parameters"),
        facts.get("macs"),
        facts.get("seconds"),
        trial.why,
    )


def best_of(trials: Sequence[TrialResult]) -> TrialResult | None:
    """Returns the finished trial that validates best: by accuracy, then by loss, then the earlier one."""
    whole = [trial for trial in trials if trial.state == "complete"]
    return max(
        whole,
        key=lambda trial: (trial.val_accuracy or 0.0, -(trial.val_loss or 0.0), -trial.number),
        default=None,
    )


def front_of(trials: Sequence[TrialResult], objectives: Sequence[str]) -> tuple[int, ...]:
    """Returns the numbers of the finished trials that no other one beats in every objective.

    Of several with the very same objectives, the one that `best_of` would choose stays.
    """
    kept: dict[tuple[float, ...], TrialResult] = {}
    for trial in trials:
        if trial.state == "complete":
            costs = _costs(trial, objectives)
            kept[costs] = best_of([trial, kept[costs]]) if costs in kept else trial  # type: ignore[assignment]
    return tuple(
        trial.number
        for costs, trial in kept.items()
        if not any(
            other != costs and all(theirs <= ours for theirs, ours in zip(other, costs, strict=True))
            for other in kept
        )
    )


def _costs(trial: TrialResult, objectives: Sequence[str]) -> tuple[float, ...]:
    """Returns the objectives, all such that less is better."""
    return tuple(
        -(trial.val_accuracy or 0.0) if name == "accuracy" else float(getattr(trial, name) or 0)
        for name in objectives
    )
