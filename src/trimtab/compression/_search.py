"""The search itself: what is probed, trained and trained on, as workers become free."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.compression._baseline_training import BaselineTraining
from trimtab.compression._brief import Brief
from trimtab.compression._candidate import ZooNetwork
from trimtab.compression._finals import Finals
from trimtab.compression._halving import cost, next_promoted
from trimtab.compression._plan import Pace, Rung, batch_size_for
from trimtab.compression._probing import Probing
from trimtab.compression._teaching import Teaching
from trimtab.compression._travelling_data import ARRAYS
from trimtab.compression._trials import Trained, Trial, TrialFolder, best_first
from trimtab.tuning import Search, Study
from trimtab.workers import Job, JobResult, Report, Workers

__all__ = ["FINAL", "CompressionSearch", "untrained"]

FINAL = -1
"""The number of a final training, beside those of the rungs."""
_FITTING = ("ready", "running", "waiting")
_AHEAD = 2  # candidates that are probed and wait for a worker, for each worker
_WHOLE = 0.8  # of its epochs: what a training that the time was up for must have done to count as one
_BETTER = 0.003  # accuracy by which a candidate must beat the teacher to become it


@dataclass(frozen=True)
class _Doing:
    """What a job does for a trial.

    Args:
        trial: whose job it is.
        rung: which training it is; None: it finds out what the trial costs.
        share: of the training images.
        taught_by: the teacher's name.
        seed: of fresh weights, where it trains a finalist once more; None: it goes on from what there is.
        epochs: that it is to take.
    """

    trial: Trial
    rung: int | None = None
    share: float = 1.0
    taught_by: str | None = None
    seed: int | None = None
    epochs: int = 0

    @property
    def told(self) -> str:
        """What it does, before it has said anything itself."""
        return "facts" if self.rung is None else "from another seed" if self.seed is not None else ""


class CompressionSearch(Search):
    """Probes candidates, and trains those that fit, the promising ones longer.

    All that it decides by lies in the run folder: a search that was killed is made again of it.

    Args:
        brief: what the search is about.
        study: remembers what the first round said of each proposal.
        probing: proposes candidates that fit.
        teaching: whose answers are learned.
        finals: who is trained in full.
        pace: how long training takes here.
        data: what `sent` returned.
        baseline: trains the baseline; None: there is one.
        rungs: the first rung, where an earlier process decided on it.
        decided: told of the first rung.
        spent: seconds that earlier processes took.
        clock: gives seconds.
    """

    def __init__(
        self,
        brief: Brief,
        study: Study,
        probing: Probing,
        teaching: Teaching,
        finals: Finals,
        pace: Pace,
        data: Mapping[str, Any],
        *,
        baseline: BaselineTraining | None,
        rungs: list[Rung],
        decided: Callable[[Rung], None],
        spent: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._brief, self._study, self._probing = brief, study, probing
        self._teaching, self._finals, self._pace = teaching, finals, pace
        self._data, self._baseline = data, baseline
        self._rungs, self._decided = rungs, decided
        self._clock, self._began = clock, clock() - spent
        self._folder = TrialFolder(brief.folder / "trials")
        self._jobs: dict[str, _Doing] = {}
        self._told: dict[str, str] = {}
        self._exhausted = False
        self.baseline_ended = self.finals_began = 0.0

    # What `drive` asks.

    def next(self) -> Job | None:
        """Returns the next job; None: nothing to do now."""
        now = self.now
        if self._baseline is not None and not self._baseline.done:
            if (job := self._baseline.next(now)) is not None:
                return job
        elif (job := self._teaching.next("none")) is not None:
            return job
        if not self._finals.begun and self._exploring(now):
            job = self._explore(now)
            if job is not None or self._jobs or self._teaching.asking:
                return job
        if not self.has_baseline:
            return None
        job = self._final(now)
        if job is None and not self._jobs and not any(trial.rungs for trial in self.trials):
            return self._explore(now)  # the time is up, and there is nothing to answer with yet
        return job

    def finished(self, result: JobResult) -> bool:
        """Takes in how a job ended."""
        self._told.pop(result.key, None)
        if self._baseline is not None and result.key.startswith("baseline"):
            self._baseline.finished(result)
            if self._baseline.done:
                self.baseline_ended = self.now
                self._teaching.learn_from(
                    self._brief.baseline / "model.keras", "baseline", result.record["val_accuracy"]
                )
        elif self._teaching.owns(result.key):
            self._teaching.finished(result)
        else:
            self._of_trial(self._jobs.pop(result.key), result)
        return False

    def reported(self, report: Report) -> bool:
        """Hears of an epoch; ends trainings when their time is up."""
        accuracy = report.record.get("val_accuracy")
        if accuracy is not None:
            self._told[report.key] = f"epoch {report.record['epoch']}/{report.record['epochs']}"
        return self.now < self._brief.plan.training_ends or not self.ready()

    def ready(self) -> bool:
        """Tells whether there is something to answer: a baseline, and a candidate, where any fits."""
        trained = any(trial.rungs for trial in self.trials)
        return self.has_baseline and (trained or self._exhausted)

    @property
    def has_baseline(self) -> bool:
        """Whether there is a baseline."""
        return self._baseline is None or self._baseline.done

    def note(self) -> str:
        """Says what is best so far, and what is being tried."""
        best = max((trial for trial in self.trials if trial.rungs), key=lambda t: t.accuracy, default=None)
        doing = [
            f"{job.trial.candidate.network} {self._told.get(key, job.told)}".strip()
            for key, job in self._jobs.items()
        ]
        if not self.has_baseline:
            doing.insert(0, f"baseline {self._told.get('baseline', '')}".strip())
        told = [] if best is None else [f"best so far {best.accuracy:.2%} ({best.candidate.network})"]
        return "; ".join([*told, *([f"now: {', '.join(doing[:3])}"] if doing else [])])

    def spent(self, seconds: float) -> None:
        """Remembers how long the search has taken so far."""
        self._study.spend(seconds)

    @property
    def trials(self) -> list[Trial]:
        """All trials so far."""
        return self._probing.trials

    @property
    def now(self) -> float:
        """Seconds since the search began, over all processes."""
        return self._clock() - self._began

    # Exploring.

    def _exploring(self, now: float) -> bool:
        """Says whether there is time to look further; there is, as long as nobody is known that fits."""
        in_time = now < self._brief.plan.finals_begin - self._pace.overhead
        return in_time or not any(trial.state in _FITTING for trial in self.trials)

    def _explore(self, now: float) -> Job | None:
        """Returns the job that tells most: a training that waits, a promotion, or a new proposal."""
        waiting = [trial for trial in self.trials if trial.state == "ready"]
        for trial in waiting:
            if (job := self._leg(trial, self._first_rung(now))) is not None:
                return job
        if self._rungs and (job := self._promotion()) is not None:
            return job
        if len(waiting) >= _AHEAD or self._exhausted:
            return None
        found = self._probing.next(has_baseline=self.has_baseline)
        if found is None:
            # What waits for the baseline may be all that is left; and what is probed may be tried once more.
            probing = any(job.rung is None for job in self._jobs.values())
            self._exhausted = self.has_baseline and not probing
            return None
        trial, job = found
        trial.state = "probing"
        self._jobs[job.key] = _Doing(trial)
        return job

    def _promotion(self) -> Job | None:
        """Returns the next training of a trial that came so far; None: nobody may go on yet."""
        self._rung(len(self._rungs))  # one more than there are, where there is one
        trial = next_promoted(self.trials, len(self._rungs) - 2, by_cost=True)
        rung = None if trial is None else self._rung(trial.rung + 1)
        return None if trial is None or rung is None else self._leg(trial, rung)

    def _first_rung(self, now: float) -> Rung:
        """Returns the first rung; decided when the first training begins."""
        if not self._rungs:
            known = sorted(trial.facts.macs for trial in self.trials if trial.facts and trial.facts.macs)
            usual = self._pace.epoch(float(known[len(known) // 2]) if known else 2e6)
            left = self._brief.plan.finals_begin - now
            self._rungs.append(self._brief.plan.first_rung(usual, left, self._pace.overhead))
            self._decided(self._rungs[0])
        return self._rungs[0]

    def _rung(self, number: int) -> Rung | None:
        """Returns a rung; None: after the last one only a full training is left."""
        while len(self._rungs) <= number:
            following = self._brief.plan.next_rung(self._rungs[-1])
            if following is None:
                return None
            self._rungs.append(following)
        return self._rungs[number]

    def _leg(self, trial: Trial, rung: Rung) -> Job | None:
        """Returns the job that trains a trial for a rung; None: its teacher must be asked first."""
        return self._training(f"train-{trial.name}-{rung.number}", trial, rung)

    def _training(self, key: str, trial: Trial, rung: Rung, seed: int | None = None) -> Job | None:
        """Returns a job that trains a trial, or the one that asks its teacher, or None while it is asked.

        Args:
            key: of the job.
            trial: who is trained.
            rung: for how long.
            seed: None: it goes on from what there is; else it begins anew, with other weights and orders.
        """
        augmentation = trial.candidate.lesson.augmentation
        answers = self._teaching.answers(augmentation)
        if self._teaching.name is not None and answers is None:
            return self._teaching.next(augmentation)
        arguments = self._brief.training_arguments(self._data, batch_size_for(self._brief.images))
        arguments |= {
            "candidate": trial.candidate.to_plain(),
            "epochs": rung.epochs,
            "share": rung.share,
            "answers": answers,
            "answers_seed": self._brief.seed,
        }
        if seed is None:
            files = self._beginning(trial)
            trial.state = "running"
        else:
            arguments["seed"] = seed
            fresh = isinstance(trial.candidate.network, ZooNetwork)
            files = {} if fresh else {"baseline": self._brief.baseline / "model.keras"}
        shared = ARRAYS if answers is None else (*ARRAYS, answers)
        taught = None if answers is None else self._teaching.name
        self._jobs[key] = _Doing(trial, rung.number, rung.share, taught, seed, rung.epochs)
        return Job(key, "trimtab.compression._trial:train_leg", arguments, shared, files)

    def _beginning(self, trial: Trial) -> dict[str, Path]:
        """Returns the model that a trial goes on from; nothing: fresh weights."""
        model = self._folder.model(trial)
        if model.is_file():
            return {"start": model}
        if trial.candidate.network.kind == "baseline":
            return {"start": self._brief.baseline / "model.keras"}
        return {}

    # Finals.

    def _final(self, now: float) -> Job | None:
        """Returns the next final training; None: there is no time for one more."""
        if not self._finals.begun:
            self.finals_began = now
            self._best_teaches()
        augmentations = {"none"}
        for augmentation in augmentations:
            if (job := self._teaching.next(augmentation)) is not None:
                return job
        if self._teaching.name is not None and self._teaching.answers("none") is None:
            return None
        for trial in self.trials:
            for told in trial.begun:  # by a process that was killed: its checkpoint is there
                if trial.state in ("waiting", "finalist") and _key(trial, told["number"]) not in self._jobs:
                    rung = Rung(FINAL, told["epochs"], told["share"])
                    return self._final_training(trial, rung, told["number"])
        if (again := self._finals.again(self.trials, now)) is not None:
            return self._final_training(*again)
        if (found := self._finals.next(self.trials, now)) is None:
            return None
        return self._final_training(*found)

    def _final_training(self, trial: Trial, rung: Rung, number: int = 0) -> Job | None:
        """Returns the job of a full training; None, or another job, while the teacher is asked first.

        Args:
            trial: whose.
            rung: for how long.
            number: which of its seeds; 0: its own, and it goes on from what there is.
        """
        key, state = _key(trial, number), trial.state
        job = self._training(key, trial, rung, self._brief.seed + number if number else None)
        if job is not None and job.key == key:
            self._finals.given(trial, number)
            trial.begun = [told for told in trial.begun if told["number"] != number]
            trial.begun.append({"epochs": rung.epochs, "share": rung.share, "number": number})
            now, trial.state = trial.state, state
            self._folder.keep(trial)
            trial.state = now
        return job

    def _best_teaches(self) -> None:
        """Makes the best model so far the teacher of the finalists, where that is not the teacher already."""
        best = max((trial for trial in self.trials if trial.rungs), key=lambda t: t.accuracy, default=None)
        if best is not None and best.accuracy > self._teaching.accuracy + _BETTER:
            self._teaching.learn_from(self._folder.model(best), f"trial {best.name}", best.accuracy)

    # What comes back.

    def _of_trial(self, doing: _Doing, result: JobResult) -> None:
        """Takes in a job of a trial."""
        trial = doing.trial
        trial.at = round(self.now, 2)
        trial.begun = [told for told in trial.begun if _key(trial, told["number"]) != result.key]
        if doing.seed is not None:
            self._of_other_seed(doing, result)
        elif result.error is not None:
            trial.state, trial.why = "failed", result.error
            self._folder.keep(trial)
            self._tell_study(trial)
        elif doing.rung is None:
            if result.record:
                self._probing.finished(trial, result)
            else:
                trial.state = "proposed"
        elif result.record and result.record["epochs"]:
            self._take(doing, doing.rung, result)
        else:
            trial.state = untrained(trial)

    def _of_other_seed(self, doing: _Doing, result: JobResult) -> None:
        """Takes in a finalist's training from another seed; one that was cut short counts only if it won."""
        record = result.record
        trained = result.error is None and bool(record) and record["epochs"]
        if trained and (not cut_short(doing, result) or record["val_accuracy"] > doing.trial.accuracy):
            self._take(doing, FINAL, result)
        else:
            self._folder.keep(doing.trial)

    def _take(self, doing: _Doing, rung: int, result: JobResult) -> None:
        """Takes in a training: its accuracy, its weights where they are the best so far, its pace."""
        trial, record = doing.trial, result.record
        trained = Trained(
            rung,
            record["epochs"],
            doing.share,
            record["val_accuracy"],
            record["seconds"],
            record["seconds_per_epoch"],
            doing.taught_by,
            tuple(record["curve"]),
            round(self.now, 2),
            doing.seed,
            not cut_short(doing, result),
        )
        better = trained.val_accuracy >= trial.accuracy
        trial.rungs.append(trained)
        if trained.whole or doing.seed is not None:
            trial.state = "finalist" if rung == FINAL else "waiting"
        else:
            trial.state = untrained(trial)
        if trial.facts is not None and trial.facts.macs:
            beside = trained.seconds - trained.epochs * trained.share * trained.seconds_per_epoch
            self._pace.learn(trial.facts.macs, trained.seconds_per_epoch, beside)
        files = {"model.keras": result.files["model.keras"]} if better else {}
        self._folder.keep(trial, files)
        if rung == 0 and trained.whole:
            self._tell_study(trial)

    def _tell_study(self, trial: Trial) -> None:
        """Tells the study what the first round said of a proposal: all are alike there."""
        for running in self._study.running:
            if running.number == trial.number:
                first = trial.at_rung(0)
                if first is None:
                    running.fail(trial.why or "it was not trained")
                else:
                    running.finish(first.val_accuracy, *cost(trial))

    def wind_up(self, workers: Workers, patience: float = 20.0) -> None:
        """Ends what is under way after the search, and takes in what it still gives.

        Args:
            workers: who does it.
            patience: seconds to wait for all of them together.
        """
        waiting = {*self._jobs, *([] if self.has_baseline else ["baseline"])}
        for key in waiting:
            workers.cancel(key)
        until = time.monotonic() + patience
        while waiting and (began := time.monotonic()) < until:
            results = workers.wait(1.0)
            for result in results:
                if result.key in waiting:
                    waiting.discard(result.key)
                    self.finished(result)
            if not results and time.monotonic() - began < 0.5:
                return  # nothing is under way: Ctrl-C ended it

    def conclude(self) -> None:
        """Writes down who did not go on, and why, once the search is over."""
        for place, trial in enumerate(best_first([each for each in self.trials if each.rungs]), start=1):
            if trial.state == "waiting":
                others = sum(bool(each.rungs) for each in self.trials)
                trial.state = "cut"
                trial.why = f"place {place} of {others} after {trial.passes:g} epochs"
                self._folder.keep(trial)
        for trial in self.trials:
            if trial.state in ("ready", "proposed", "probing") and trial.facts is not None:
                began = f"the time was up after {trial.passes:.2g} epochs of its first training"
                trial.state = "cut"
                trial.why = began if trial.rungs else "the time was up before it was trained"
                self._folder.keep(trial)


def _key(trial: Trial, number: int) -> str:
    """Returns the key of a full training: of a trial, and of which of its seeds."""
    return f"final-{trial.name}" + (f"-{number}" if number else "")


def untrained(trial: Trial) -> str:
    """Returns the state of a trial between two trainings."""
    return "waiting" if trial.rung >= 0 else "ready"


def cut_short(doing: _Doing, result: JobResult) -> bool:
    """Says whether a training ended so early that it does not count as one."""
    return result.cancelled and result.record["epochs"] < _WHOLE * doing.epochs
