"""The stages of a compression: what is there, the search, the files, the answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trimtab._quiet import import_backend
from trimtab.compression._answer import Answer, Point, answered
from trimtab.compression._baseline_training import read_baseline
from trimtab.compression._beginning import Beginning, begun
from trimtab.compression._brief import Brief
from trimtab.compression._budget import COSTS, Budget, Limits
from trimtab.compression._finals import Finals
from trimtab.compression._finishing import BASELINE, Finishing, worth_a_file
from trimtab.compression._measuring import INT8, measured, points_of, timed, written
from trimtab.compression._plan import Pace, Plan
from trimtab.compression._probing import Probing
from trimtab.compression._proposals import Proposals
from trimtab.compression._result import CompressionResult
from trimtab.compression._run_folder import CompressionFolder
from trimtab.compression._search import CompressionSearch, untrained
from trimtab.compression._teaching import Teaching
from trimtab.compression._travelling_data import sent
from trimtab.compression._trials import TrialFolder
from trimtab.errors import RunError
from trimtab.progress import Progress
from trimtab.tuning import Ending, Study, drive, open_study
from trimtab.tuning._samplers import Sampler
from trimtab.workers import Workers, open_workers

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["Stages"]

_DIRECTIONS: tuple[Literal["maximize", "minimize"], ...] = ("maximize", "minimize", "minimize")
_TIMED = 0.4  # seconds that a candidate is timed
_FILES_A_MINUTE = 2  # of the search: how many files there is time for at the end
_AWARE_SHARE = 0.05  # of the time, for quantize-aware training of each file that needs it
_LEAST_AWARE = 15.0  # seconds: below that it is all preparation and no training
_SPOILT, _LONG = 1000, 600.0  # images that are spoilt in searches of so many seconds and more
_LEAST_FILES, _MOST_FILES = 2, 10


class Stages:
    """One compression being carried out in one folder.

    Args:
        folder: where; the caller holds its lock.
        record: what is asked for.
        model: the baseline that was given; None: one is trained.
        data: the images.
        budget: the limits.
        plan: how time is spent.
        seed: of everything.
        progress: where progress is shown.
        most: candidates that are looked at, at most; None: as many as there is time for.
        first: settings to try before all others; None: those that `Proposals.first` knows.
        sampler: who proposes after them.
    """

    def __init__(
        self,
        folder: CompressionFolder,
        record: Mapping[str, Any],
        model: Any,
        data: ImageData,
        budget: Budget,
        plan: Plan,
        seed: int,
        progress: Progress,
        most: int | None = None,
        *,
        first: Callable[[Proposals], Iterable[Mapping[str, Any]]] = Proposals.first,
        sampler: Sampler = "tpe",
    ) -> None:
        self._most, self._first, self._sampler = most, first, sampler
        self._folder, self._record, self._model = folder, record, model
        self._data, self._budget, self._progress = data, budget, progress
        self._brief = Brief(
            budget,
            data.image_shape,
            data.classes,
            len(data.train),
            seed,
            plan,
            folder.path,
        )
        self._began = time.monotonic()
        self._files_ended = 0.0

    def run(self, jobs: int, cluster: str | None) -> CompressionResult:
        """Carries out all stages; what was done before is not done again."""
        import_backend()
        work = self._folder.path / "work"
        with open_workers(work, jobs if cluster is None else 1, cluster) as workers:
            if cluster is not None:
                plan = replace(self._brief.plan, workers=max(workers.count, 1))
                self._brief = replace(self._brief, plan=plan)
            travelling = sent(self._data, workers)
            pace = Pace(self._brief.images)
            timer = self._timer(workers) if self._budget.max_latency is not None else None
            beginning = begun(self._brief, self._model, workers, travelling, pace, self._progress, timer)
            limits = self._budget.limits({**beginning.reference, "accuracy": None})
            self._folder.limited(limits)
            search, study = self._search(workers, travelling, pace, beginning, limits, timer)
            ending = Ending("done", study.seconds)
            if not self._finished:
                ending = self._driven(search, study, workers)
            finishing, ending = self._files(search, workers, travelling, ending, limits)
        return self._answer(finishing, search, ending, limits)

    @property
    def _finished(self) -> bool:
        """Whether an earlier process came to the end."""
        return self._record.get("status") == "complete"

    # The search.

    def _search(
        self,
        workers: Workers,
        travelling: Mapping[str, Any],
        pace: Pace,
        beginning: Beginning,
        limits: Limits,
        timer: Callable[[Path], float] | None,
    ) -> tuple[CompressionSearch, Study]:
        """Puts the search together, as far as an earlier process had come."""
        plain = beginning.reference
        proposals = Proposals(
            beginning.ladders, limits, plain, narrowing=self._narrowing(), whole=Limits.keeps(limits, plain)
        )
        study = open_study(
            self._folder.path / "study",
            proposals.space,
            directions=_DIRECTIONS,
            sampler=self._sampler,
            seed=self._brief.seed,
        )
        if not study.trials:
            for setting in self._first(proposals):
                study.enqueue(setting)
        trials = TrialFolder(self._folder.path / "trials")
        known = [trial if self._finished else again(trial) for trial in trials.read()]
        probing = Probing(
            self._brief, study, proposals, limits, travelling, trials, timer, known, most=self._most
        )
        teaching = Teaching(self._brief, workers, travelling)
        if (record := read_baseline(self._brief.baseline)) is not None:
            teaching.learn_from(self._brief.baseline / "model.keras", "baseline", record["val_accuracy"])
        finals = Finals(self._brief.plan, pace, lambda: self._sought(limits))
        search = CompressionSearch(
            self._brief,
            study,
            probing,
            teaching,
            finals,
            pace,
            travelling,
            baseline=beginning.training,
            rungs=self._folder.rungs(),
            decided=self._folder.decided,
            spent=study.seconds + time.monotonic() - self._began,
        )
        return search, study

    def _driven(self, search: CompressionSearch, study: Study, workers: Workers) -> Ending:
        """Runs the search until its time is up, and lets what is under way end."""
        plan = self._brief.plan
        spent = study.seconds + time.monotonic() - self._began
        ending = drive(
            search,
            workers,
            seconds=plan.training_ends,
            spent=spent,
            progress=self._progress,
            label="search",
        )
        search.wind_up(workers)
        search.conclude()
        if ending.why == "interrupted" and not search.has_baseline:
            raise KeyboardInterrupt  # there is nothing to answer with yet
        return ending

    def _files(
        self,
        search: CompressionSearch,
        workers: Workers,
        travelling: Mapping[str, Any],
        ending: Ending,
        limits: Limits,
    ) -> tuple[Finishing, Ending]:
        """Makes the files of what is worth it; returns them, and how the search ended with them."""
        most = int(self._brief.plan.seconds / 60 * _FILES_A_MINUTE)
        most = min(max(most, _LEAST_FILES), _MOST_FILES)
        if ending.why == "interrupted":
            most = _LEAST_FILES
        chosen = worth_a_file(search.trials, most, self._sought(limits))
        allowed = 0.0 if ending.why == "interrupted" else _AWARE_SHARE * self._brief.plan.seconds
        allowed = allowed if allowed >= _LEAST_AWARE else 0.0
        finishing = Finishing(
            self._brief,
            chosen,
            travelling,
            lambda seconds: min(int(allowed / max(1.5 * (seconds or 1.0), 1e-6)), 5),
        )
        made = drive(
            finishing, workers, progress=self._progress, label="make files", total=len(finishing.names)
        )
        self._files_ended = search.now
        if BASELINE in finishing.failures:
            raise RunError(f"The baseline has no int8 file: {finishing.failures[BASELINE]}.")
        if made.why != "interrupted":
            return finishing, ending
        if not finishing.has_baseline:
            raise KeyboardInterrupt  # there is nothing to answer with yet
        return finishing, replace(ending, why="interrupted")

    # The answer.

    def _answer(
        self, finishing: Finishing, search: CompressionSearch, ending: Ending, limits: Limits
    ) -> CompressionResult:
        """Times, chooses, measures, and writes it all down."""
        folder, plan = self._folder.path, self._brief.plan
        seconds = min(max(plan.seconds / 600, 0.2), 2.0)
        made = {INT8 if name == BASELINE else name: finishing.folder(name) for name in finishing.names}
        made = {name: path for name, path in made.items() if (path / "result.json").is_file()}
        points = points_of(made, self._brief.image_shape, seconds, self._brief.seed, self._progress)
        refused = {
            str(trial.candidate.network): trial.facts.to_plain()
            for trial in search.trials
            if trial.state == "refused" and trial.facts is not None
        }
        answer = answered(points, self._budget, self._final_limits(points, limits), refused)
        written(answer, folder, [f"{name}: {why}" for name, why in finishing.failures.items()])
        result = measured(
            answer,
            finishing.folder(BASELINE),
            self._data,
            folder / "benchmark",
            seconds=seconds,
            spoilt=_SPOILT if plan.seconds >= _LONG else _SPOILT // 4,
            progress=self._progress,
        )
        whole = ending.seconds
        if not self._finished:
            self._folder.end(self._record, ending.why, whole, self._stages(search, whole))
        counted = (len(search.trials), sum(bool(trial.rungs) for trial in search.trials))
        return CompressionResult(folder, answer, result, ending.why, whole, counted, _notes(answer, ending))

    def _stages(self, search: CompressionSearch, searched: float) -> dict[str, float]:
        """Returns the seconds of each stage."""
        finals = search.finals_began or searched
        return {
            "baseline": search.baseline_ended,
            "exploration": max(finals - search.baseline_ended, 0.0),
            "finalists": max(searched - finals, 0.0),
            "files": self._files_ended - searched,
            "measuring": max(search.now - self._files_ended, 0.0),
        }

    def _final_limits(self, points: list[Point], limits: Limits) -> Limits:
        """Returns the limits, that on accuracy included, which the baseline's own accuracy decides."""
        record = read_baseline(self._brief.baseline)
        accuracy = None if record is None else record["val_accuracy"]
        own = next((point for point in points if point.baseline), None)
        facts = {} if own is None else own.facts()
        known = {fact: facts.get(fact) for fact in COSTS.values()}
        # Shares of the baseline were settled before the search, and stay.
        settled = replace(limits)
        floor = self._budget.limits({**known, "accuracy": accuracy}).min_accuracy
        return replace(settled, min_accuracy=floor)

    def _sought(self, limits: Limits) -> float | None:
        """Returns the accuracy that is sought, where nothing else is limited."""
        if any(getattr(limits, name) is not None for name in COSTS):
            return None
        record = read_baseline(self._brief.baseline)
        known = None if record is None else record["val_accuracy"]
        return self._budget.limits({"accuracy": known}).min_accuracy

    def _narrowing(self) -> bool:
        """Says whether the baseline has channels that may go; those of the zoo have."""
        if self._model is None:
            return True
        from trimtab.channels import find_groups
        from trimtab.channels._groups import check_free
        from trimtab.errors import ModelError

        try:
            check_free(find_groups(self._model))
        except ModelError:
            return False
        return True

    def _timer(self, workers: Workers) -> Any:
        """Returns what times a file on this machine while no worker of ours runs on it."""

        def milliseconds(path: Path) -> float:
            with workers.paused():
                return timed({"candidate": path}, self._brief.image_shape, _TIMED, self._brief.seed)[
                    "candidate"
                ]

        return milliseconds


def again(trial: Any) -> Any:
    """Returns a trial of an earlier process as one that can go on."""
    if trial.state == "cut":
        trial.state, trial.why = untrained(trial), ""
    return trial


def _notes(answer: Answer, ending: Ending) -> tuple[str, ...]:
    """Says what else there is to know."""
    notes = []
    if ending.why == "interrupted":
        notes.append("The search was stopped; this is the best it had found.")
    if answer.already:
        notes.append(
            "The baseline's own int8 file keeps the budget already; the front offers what is better."
        )
    return (*notes, *answer.notes)
