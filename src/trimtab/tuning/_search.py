"""The search of `tune`: settings go out as trainings, accuracies come back."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._atomic import atomic_path, make_folder
from trimtab.errors import ModelError
from trimtab.tuning._drive import Search
from trimtab.tuning._plan import Plan
from trimtab.tuning._record import TuningRecord
from trimtab.tuning._result import TrialResult, best_of, front_of, trial_result
from trimtab.tuning._study import Study
from trimtab.tuning._trial import Trial
from trimtab.workers import Job

if TYPE_CHECKING:
    from trimtab.workers import JobResult, Report, Workers

__all__ = ["TuningSearch"]

_FUNCTION = "trimtab.tuning._training_job:train_setting"
_FILES = ("model.keras", "history.csv")
_FACTS = ("val_accuracy", "val_loss", "best_epoch", "epochs", "parameters", "macs")


class TuningSearch(Search):
    """Trains one setting after another, and keeps the models of the best.

    Args:
        study: the trials.
        workers: who trains; they have the images.
        arguments: what every training is given beside its setting.
        shared: names of the arrays that every training needs.
        folder: what is kept goes to ``trials/NNNN`` in it.
        record: where what becomes of the trials is written down, after each.
        plan: how many trials there are to be, and whether hopeless ones are ended early.
    """

    def __init__(
        self,
        study: Study,
        workers: Workers,
        arguments: Mapping[str, Any],
        shared: Sequence[str],
        folder: Path,
        record: TuningRecord,
        plan: Plan,
    ) -> None:
        self._study, self._workers, self._folder = study, workers, folder
        self._arguments, self._shared, self._record = dict(arguments), tuple(shared), record
        self._limit, self._cut_short = plan.trials, plan.cuts
        self._left = list(study.running)
        self._under_way: dict[str, Trial] = {}
        self._cut: dict[str, str] = {}
        self._results = {trial.number: trial_result(trial, record.images) for trial in study.trials}
        self._said, self._seconds = "", study.seconds

    @property
    def results(self) -> tuple[TrialResult, ...]:
        """What became of every trial."""
        return tuple(trial_result(trial, self._record.images) for trial in self._study.trials)

    @property
    def done(self) -> int:
        """How many trials have ended."""
        return sum(result.state != "unfinished" for result in self._results.values())

    def next(self) -> Job | None:
        """Returns the training of a trial that was begun before, or of a new one."""
        trial = self._left.pop(0) if self._left else self._new()
        if trial is None:
            return None
        job = Job(f"trial-{trial.key}", _FUNCTION, {**self._arguments, "values": trial.values}, self._shared)
        self._under_way[job.key] = trial
        return job

    def reported(self, report: Report) -> bool:
        """Takes in an epoch; says whether the trial is worth going on with. The baseline always is."""
        trial, record = self._under_way[report.key], report.record
        if "epoch" not in record:
            trial.note(**record)
            return True
        trial.report(record["epoch"], record["val_accuracy"])
        self._said = f"trial {trial.number}, epoch {record['epoch']}: {record['val_accuracy']:.1%}"
        if not self._cut_short or not trial.number or not trial.hopeless():
            return True
        self._cut[report.key] = (
            f"after epoch {record['epoch']} its best was below what half of the finished trials had then"
        )
        return False

    def finished(self, result: JobResult) -> bool:
        """Takes in a training that ended; says whether its trial did.

        Raises:
            ModelError: the baseline failed; without it there is nothing to compare with.
            OutputError: a file cannot be written.
        """
        trial, record = self._under_way.pop(result.key), result.record
        whole = not result.error and bool(record) and not record["stopped"]
        if result.cancelled and not whole and result.key not in self._cut:
            return False  # the time was up: the trial can be gone on with
        if result.error:
            trial.fail(result.error)
        elif whole:
            self._keep(trial, result)
        else:
            trial.cut(self._cut[result.key])
        self._results[trial.number] = trial_result(trial, self._record.images)
        if result.error and not trial.number:
            raise ModelError(f"the first trial, with the defaults of the space, failed: {result.error}.")
        self._drop_models()
        self._record.write(self.results, "running", self._seconds)
        self._workers.discard(result.key)
        return True

    def ready(self) -> bool:
        """There is an answer once the baseline is finished."""
        return 0 in self._results and self._results[0].state == "complete"

    def note(self) -> str:
        """Returns the best so far, and what was heard last."""
        best = best_of(tuple(self._results.values()))
        parts = [f"best {best.val_accuracy:.2%} (trial {best.number})" if best else "", self._said]
        return "; ".join(part for part in parts if part)

    def spent(self, seconds: float) -> None:
        """Remembers how long it has taken."""
        self._seconds = seconds
        self._study.spend(seconds)

    def _new(self) -> Trial | None:
        trials = self._study.trials
        return self._study.ask() if len(trials) < self._limit else None

    def _keep(self, trial: Trial, result: JobResult) -> None:
        """Keeps what a training gave, and ends its trial: in this order, so that a kill loses nothing."""
        record, place = result.record, make_folder(self._folder / "trials" / trial.key)
        for name in _FILES:
            with atomic_path(place / name) as partial:
                shutil.copyfile(result.files[name], partial)
        for epoch, accuracy in enumerate(record["curve"], 1):
            trial.report(epoch, accuracy)  # those that were trained before a kill, and never heard of
        facts = {name: record[name] for name in _FACTS}
        trial.note(**facts, seconds=record["training_seconds"], worker=result.worker)
        values = {**facts, "accuracy": record["val_accuracy"]}
        trial.finish(*(float(values[name]) for name in self._record.objectives))

    def _drop_models(self) -> None:
        """Removes the models that nobody will ask for: all but the baseline's, the best, and the front's."""
        results = tuple(self._results.values())
        best = best_of(results)
        kept = {0, *front_of(results, self._record.objectives), *([best.number] if best else [])}
        for number, result in self._results.items():
            if result.state == "complete" and number not in kept:
                (self._folder / "trials" / f"{number:04d}" / "model.keras").unlink(missing_ok=True)
