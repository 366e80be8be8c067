"""From a proposal to a network that fits: its real file is made and looked at before anything is trained."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trimtab.compression._brief import Brief
from trimtab.compression._budget import Limits, spoken_limit
from trimtab.compression._candidate import Baseline, Narrowed, ZooNetwork
from trimtab.compression._facts import Facts
from trimtab.compression._proposals import Proposals
from trimtab.compression._travelling_data import ARRAYS
from trimtab.compression._trials import Trial, TrialFolder
from trimtab.tuning import Study
from trimtab.workers import Job, JobResult

__all__ = ["Probing"]

_TRIES = 4  # networks that are converted for one proposal until one fits
_REFUSALS = 12  # one after the other, until it is believed that nothing more fits
_SLACK = 0.93  # of what it may use: a network below that is made wider once

Timed = Callable[[Path], float]


class Probing:
    """Asks for proposals, and finds out what they cost.

    Args:
        brief: what the search is about.
        study: proposes settings.
        proposals: what a setting stands for.
        limits: the budget.
        data: what `sent` returned.
        folder: where trials are kept.
        timed: times a file on this machine, in milliseconds; None: nobody asked for the latency.
        trials: those that there are; new ones are added.
        most: how many there may be; None: any number.
    """

    def __init__(
        self,
        brief: Brief,
        study: Study,
        proposals: Proposals,
        limits: Limits,
        data: Mapping[str, Any],
        folder: TrialFolder,
        timed: Timed | None,
        trials: list[Trial],
        *,
        most: int | None = None,
    ) -> None:
        self._brief, self._study, self._proposals, self._limits = brief, study, proposals, limits
        self._data, self._folder, self._timed, self.trials = data, folder, timed, trials
        self._again: deque[Trial] = deque()
        self._held: list[Trial] = []
        self._refusals, self._most = 0, most
        self._take_up()

    def next(self, *, has_baseline: bool) -> tuple[Trial, Job] | None:
        """Returns the trial to probe next, and its job; None: there is nothing more to propose.

        Args:
            has_baseline: whether there is a baseline to make candidates of.
        """
        if has_baseline:
            self._again.extend(self._held)
            self._held.clear()
        while self._again or self._refusals < _REFUSALS:
            trial = self._again.popleft() if self._again else self._proposed()
            if trial is None:
                return None
            if trial.state == "refused":
                self._refusals += 1
                continue
            if not has_baseline and not isinstance(trial.candidate.network, ZooNetwork):
                self._held.append(trial)
                continue
            return trial, self._job(trial)
        return None

    def finished(self, trial: Trial, result: JobResult) -> None:
        """Takes in what a candidate costs: it is ready, made of another size, or refused."""
        facts = Facts.of_plain(result.record["facts"])
        if self._timed is not None:
            facts = replace(facts, latency_ms=self._timed(result.files["model.tflite"]))
        trial.facts = facts
        family = str(trial.setting["family"])
        self._proposals.learn(family, trial.candidate, facts.to_plain())
        over = self._limits.excess(facts.to_plain())
        smallest = trial.candidate == self._proposals.smallest(trial.setting)
        if trial.tries < _TRIES and ((over and not smallest) or self._has_room(trial, facts)):
            other = self._proposals.candidate(trial.setting, beyond=max(over.values(), default=1.0), of=trial)
            if other is not None and other != trial.candidate and not (not over and trial.tries > 1):
                trial.candidate = other
                self._again.appendleft(trial)
                return
        if over:
            self.refuse(trial, _told(over, self._limits, facts))
            return
        if (twin := self._twin(trial)) is not None:
            self.refuse(trial, f"it is the same as trial {twin.number}")
            return
        trial.state, self._refusals = "ready", 0
        files = {"model.keras": result.files["model.keras"]} if "model.keras" in result.files else {}
        self._folder.keep(trial, files)

    def refuse(self, trial: Trial, why: str) -> None:
        """Ends a trial that is never trained."""
        trial.state, trial.why = "refused", why
        self._folder.keep(trial)
        running = {each.number: each for each in self._study.running}
        if trial.number in running:
            running[trial.number].fail(why)

    def _proposed(self) -> Trial | None:
        """Asks for the next proposal."""
        if self._most is not None and len(self.trials) >= self._most:
            return None
        asked = self._study.ask()
        return None if asked is None else self._made(asked.number, asked.values)

    def _made(self, number: int, setting: Mapping[str, Any]) -> Trial:
        """Makes a trial of a proposal."""
        candidate = self._proposals.candidate(setting)
        trial = Trial(number, candidate or self._proposals.smallest(setting), dict(setting))
        trial.seed = self._brief.seed
        # The smallest one of a family is looked at once: it is what comes nearest, should nothing fit.
        known = any(each.candidate.network == trial.candidate.network and each.facts for each in self.trials)
        self.trials.append(trial)
        if candidate is None and known:
            self.refuse(trial, "no network of this family is small enough")
        return trial

    def _take_up(self) -> None:
        """Goes on with what an earlier process began: proposals that were not probed to the end."""
        known = {trial.number for trial in self.trials}
        for trial in self.trials:
            if trial.facts is not None:
                family = str(trial.setting["family"])
                self._proposals.learn(family, trial.candidate, trial.facts.to_plain())
        for running in self._study.running:
            if running.number not in known:
                trial = self._made(running.number, running.values)
                if trial.state != "refused":
                    self._again.append(trial)

    def _has_room(self, trial: Trial, facts: Facts) -> bool:
        """Says whether a network that was to use all of the budget uses clearly less."""
        if float(trial.setting["share"]) < 1 or not isinstance(trial.candidate.network, ZooNetwork):
            return False
        plain, limits = facts.to_plain(), self._limits
        used = [
            float(plain[fact]) / limit
            for limit, fact in (
                (limits.max_size, "bytes"),
                (limits.max_latency, "latency_ms"),
                (limits.max_memory, "memory_bytes"),
                (limits.max_download, "gzip_bytes"),
            )
            if limit is not None and plain[fact] is not None
        ]
        return bool(used) and max(used) < _SLACK

    def _twin(self, trial: Trial) -> Trial | None:
        """Returns an earlier trial of the same candidate."""
        return next(
            (
                each
                for each in self.trials
                if each is not trial
                and each.candidate == trial.candidate
                and each.state not in ("refused", "proposed", "failed")
            ),
            None,
        )

    def _job(self, trial: Trial) -> Job:
        """Returns the job that builds and converts a trial's network."""
        trial.tries += 1
        arguments = {**self._brief.network_arguments(), "candidate": trial.candidate.to_plain()}
        network = trial.candidate.network
        files = {} if isinstance(network, ZooNetwork) else {"baseline": self._brief.baseline / "model.keras"}
        shared = ARRAYS if isinstance(network, Narrowed) else ()
        if shared:
            arguments["data"] = dict(self._data)
        key = f"probe-{trial.name}-{trial.tries}"
        return Job(key, "trimtab.compression._trial:probe", arguments, shared, files)


def _told(over: Mapping[str, float], limits: Limits, facts: Facts) -> str:
    """Says which limits a file does not keep."""
    fact = {
        "max_size": facts.bytes,
        "max_latency": facts.latency_ms,
        "max_memory": facts.memory_bytes,
        "max_download": facts.gzip_bytes,
    }
    parts = [
        f"{spoken_limit(name, float(fact[name] or 0))} where "
        f"{spoken_limit(name, getattr(limits, name))} are allowed"
        for name in over
    ]
    return "its file does not fit: " + ", ".join(parts)


def is_baseline(network: object) -> bool:
    """Says whether a network is the baseline as it is."""
    return isinstance(network, Baseline)
