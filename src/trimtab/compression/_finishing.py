"""After the search: every model that is worth it becomes a file with a proof."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trimtab._atomic import as_output_error, make_folder, write_json
from trimtab.compression._brief import Brief
from trimtab.compression._candidate import Baseline, Candidate, ZooNetwork
from trimtab.compression._front import pareto_ranks
from trimtab.compression._halving import cost
from trimtab.compression._plan import batch_size_for
from trimtab.compression._travelling_data import ARRAYS
from trimtab.compression._trials import Trial, TrialFolder, keep_file
from trimtab.tuning import Search
from trimtab.workers import Job, JobResult

__all__ = ["BASELINE", "Finishing", "worth_a_file"]

BASELINE = "baseline"
_PREFIX = "ship-"


def worth_a_file(trials: Sequence[Trial], most: int, wanted: float | None = None) -> list[Trial]:
    """Returns the trials that become files: finalists, and what else is on the front of the search.

    Args:
        trials: all of them.
        most: how many there is time for.
        wanted: the accuracy that is asked for, where nothing else is limited: the smallest that reach it come
            first. None: the most accurate do.
    """
    trained = [trial for trial in trials if trial.rungs]
    finalists = sorted(
        (trial for trial in trained if trial.state == "finalist"), key=lambda trial: -trial.accuracy
    )
    others = [trial for trial in trained if trial.state != "finalist"]
    points = [(-trial.accuracy, *cost(trial)) for trial in trained]
    ranks = dict(zip((trial.number for trial in trained), pareto_ranks(points), strict=True))
    fronted = sorted(
        (trial for trial in others if ranks[trial.number] == 0), key=lambda trial: -trial.accuracy
    )
    first = [] if wanted is None else _smallest([each for each in trained if each.accuracy >= wanted])
    return [*first, *(each for each in [*finalists, *fronted] if each not in first)][: max(most, 1)]


def _smallest(trials: Sequence[Trial]) -> list[Trial]:
    """Sorts trials by their bytes; those that are larger than another and no more accurate come later."""
    ranks = pareto_ranks([(cost(trial)[0], -trial.accuracy) for trial in trials])
    order = sorted(zip(ranks, trials, strict=True), key=lambda each: (each[0], cost(each[1])))
    return [trial for _, trial in order]


def shipped_name(trial: Trial) -> str:
    """Returns what a trial's file is called, such as ``"cnn-7"``."""
    network = trial.candidate.network
    return f"{network.architecture if isinstance(network, ZooNetwork) else network.kind}-{trial.number}"


class Finishing(Search):
    """Ships trials and the baseline, one file a worker.

    A file that an earlier process made stands if its model is still the same: a trial may have been trained
    on since. One that lost accuracy is made again where there is time now for quantize-aware training and
    was none then.

    Args:
        brief: what the search is about.
        trials: those that become files.
        data: what `sent` returned.
        aware_epochs: of quantize-aware training, where int8 loses; by the seconds of an epoch.
        clock: gives seconds.
    """

    def __init__(
        self,
        brief: Brief,
        trials: Sequence[Trial],
        data: Mapping[str, Any],
        aware_epochs: Callable[[float], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._brief, self._data, self._aware_epochs, self._clock = brief, data, aware_epochs, clock
        self._trials = {shipped_name(trial): trial for trial in trials}
        self._left = [name for name in [BASELINE, *self._trials] if not self._done(name)]
        self.failures: dict[str, str] = {}

    @property
    def has_baseline(self) -> bool:
        """Whether the baseline has a file: without one there is no answer."""
        return (self.folder(BASELINE) / "result.json").is_file()

    @property
    def names(self) -> tuple[str, ...]:
        """What becomes a file, the baseline first."""
        return (BASELINE, *self._trials)

    def folder(self, name: str) -> Path:
        """Returns where the file of a name goes."""
        return self._brief.baseline / "file" if name == BASELINE else self._brief.folder / "finalists" / name

    def next(self) -> Job | None:
        """Returns the next file to make."""
        if not self._left:
            return None
        name = self._left.pop(0)
        trial = self._trials.get(name)
        candidate = Candidate(Baseline()) if trial is None else trial.candidate
        arguments = self._brief.training_arguments(self._data, batch_size_for(self._brief.images))
        arguments |= {
            "candidate": candidate.to_plain(),
            "aware_epochs": self._aware(name),
            "extra_epochs": max(self._aware(name), 1),
            "float_too": trial is None,
        }
        files = {"model": self._model(name)}
        return Job(f"{_PREFIX}{name}", "trimtab.compression._shipping:ship", arguments, ARRAYS, files)

    def finished(self, result: JobResult) -> bool:
        """Keeps a file and its record."""
        if not result.key.startswith(_PREFIX):
            return False  # a job of the search, which did not end with it
        name = result.key.removeprefix(_PREFIX)
        if result.error is not None or "model.tflite" not in result.files:
            self.failures[name] = result.error or "it was cancelled"
            return True
        folder = make_folder(self.folder(name))
        record = folder / "result.json"
        with as_output_error(record):
            record.unlink(missing_ok=True)  # first: it must not stand beside files of other weights
        for file, source in result.files.items():
            keep_file(source, folder / file)
        write_json(record, self._record(name, result))
        return True

    def _model(self, name: str) -> Path:
        """Returns where the weights lie that become a file."""
        trial = self._trials.get(name)
        if trial is None:
            return self._brief.baseline / "model.keras"
        return TrialFolder(self._brief.folder / "trials").model(trial)

    def _aware(self, name: str) -> int:
        """Returns the epochs of quantize-aware training that there is time for; none for the baseline."""
        trial = self._trials.get(name)
        return 0 if trial is None else self._aware_epochs(float(trial.epoch_seconds or 0.0))

    def _done(self, name: str) -> bool:
        """Says whether an earlier process made the file of this very model, as well as there is time for."""
        path = self.folder(name) / "result.json"
        if not path.is_file():
            return False
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            could_gain = record["val_accuracy"] < record["float_accuracy"] and not record["aware_epochs"]
            return record["model_sha256"] == _sha256(self._model(name)) and not (
                could_gain and self._aware(name)
            )
        except (OSError, ValueError, KeyError, TypeError):
            return False  # damaged, or without its model

    def _record(self, name: str, result: JobResult) -> dict[str, Any]:
        """Returns what is written down beside the file."""
        trial = self._trials.get(name)
        chain = [*(_training(trial) if trial is not None else ()), *result.record["links"]]
        return {
            "name": name,
            "what": "baseline" if trial is None else str(trial.candidate),
            "candidate": None if trial is None else trial.candidate.to_plain(),
            "trial": None if trial is None else trial.number,
            **_seeds(trial, self._brief.seed),
            "chain": chain,
            "val_accuracy": result.record["val_accuracy"],
            "val_images": result.record["images"],
            "float_accuracy": result.record["float_accuracy"],
            "facts": result.record["facts"],
            "final": trial is not None and trial.state == "finalist",
            "epochs": None if trial is None else trial.passes,
            "model_sha256": _sha256(self._model(name)),
            "aware_epochs": self._aware(name),
            "seconds": result.seconds,
        }


def _sha256(path: Path) -> str:
    """Returns what tells a file's content from any other."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seeds(trial: Trial | None, own: int) -> dict[str, Any]:
    """Returns the seed that a file's weights are from, and what its network came to from each seed.

    Args:
        trial: what became the file; None: the baseline.
        own: the seed of the search.
    """
    if trial is None:
        return {"seeds": [own]}
    of_model = trial.lineage[-1].seed
    spread = [{"seed": seed, "val_accuracy": value} for seed, value in trial.spread]
    return {
        "seeds": [trial.seed if of_model is None else of_model],
        "spread": spread if len(spread) > 1 else [],
    }


def _training(trial: Trial) -> list[dict[str, Any]]:
    """Returns the links of a chain before the file: where the network is from, and its trainings."""
    links: list[dict[str, Any]] = []
    network = trial.candidate.network
    first = {"zoo": "network", "narrowed": "channels", "baseline": "baseline"}[network.kind]
    lineage = trial.lineage
    for number, trained in enumerate(lineage):
        told = f"{trained.passes:g} epochs" + (
            f", taught by {trained.taught_by}" if trained.taught_by else ""
        )
        told += f", from seed {trained.seed}" if trained.seed is not None else ""
        links.append(
            {
                "technique": first if number == 0 else "distill" if trained.taught_by else "train",
                "what": f"{network}, {told}" if number == 0 else told,
                "val_accuracy": trained.val_accuracy,
                "bytes": trial.facts.bytes if trial.facts is not None else None,
                "gzip_bytes": trial.facts.gzip_bytes if trial.facts is not None else None,
                "seconds": trained.seconds,
                "taken": trained.val_accuracy
                >= max((each.val_accuracy for each in lineage[:number]), default=0.0),
            }
        )
    return links
