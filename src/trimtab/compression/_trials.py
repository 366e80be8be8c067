"""The trials of a search and where they are kept: one folder each, written anew after every step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trimtab._atomic import atomic_path, make_folder, write_json
from trimtab.compression._candidate import Candidate
from trimtab.compression._facts import Facts
from trimtab.errors import RunError

__all__ = ["Trained", "Trial", "TrialFolder", "keep_file"]

RESULT, MODEL = "result.json", "model.keras"


@dataclass(frozen=True)
class Trained:
    """One training of a trial.

    Args:
        rung: which round of the search it was; -1: the final one.
        epochs: passes over the training images.
        share: of the training images.
        val_accuracy: on the validation images, of the float model.
        seconds: wall time.
        seconds_per_epoch: of an epoch over all images.
        taught_by: the teacher's name; None: the labels alone.
        curve: validation accuracy after each epoch.
        at: seconds from the beginning of the search to its end.
        seed: where it began anew, with weights and orders of another seed; None: it went on from the training
            before, with the trial's own.
        whole: whether it took all the epochs that it was to take; one that was cut short is no round.
    """

    rung: int
    epochs: int
    share: float
    val_accuracy: float
    seconds: float
    seconds_per_epoch: float
    taught_by: str | None = None
    curve: tuple[float, ...] = ()
    at: float = 0.0
    seed: int | None = None
    whole: bool = True

    @property
    def passes(self) -> float:
        """How often it saw all training images."""
        return self.epochs * self.share


@dataclass
class Trial:
    """A candidate and what became of it.

    Args:
        number: that of the study.
        candidate: what is tried.
        setting: what the study proposed.
        state: ``"proposed"``, ``"ready"`` (it fits, and is not trained yet), ``"running"``, ``"waiting"``
            (for the next round), ``"refused"`` (it does not fit), ``"cut"``, ``"finalist"`` or ``"failed"``.
        why: a sentence where it did not go on.
        facts: what its file costs; None: not known yet.
        rungs: its trainings.
        tries: networks that were converted until one fitted.
        seed: of its fresh weights.
        begun: the full trainings that were given out and are not done: ``epochs``, ``share`` and ``number``,
            which of its seeds, 0 for its own. A process that takes over goes on with these.
    """

    number: int
    candidate: Candidate
    setting: Mapping[str, Any]
    state: str = "proposed"
    why: str = ""
    facts: Facts | None = None
    rungs: list[Trained] = field(default_factory=list)
    tries: int = 0
    seed: int = 0
    at: float = 0.0
    begun: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the trial's folder is called."""
        return f"{self.number:04d}"

    @property
    def accuracy(self) -> float:
        """The validation accuracy of its model; 0 before it was trained."""
        return max((rung.val_accuracy for rung in self.rungs), default=0.0)

    @property
    def rung(self) -> int:
        """The last round that it went through; -1: none."""
        return max((rung.rung for rung in self.rungs if rung.whole), default=-1)

    @property
    def passes(self) -> float:
        """How often its model saw all training images so far."""
        return sum(rung.passes for rung in self.lineage)

    @property
    def lineage(self) -> list[Trained]:
        """The trainings that led to its model: one from another seed, if that was better, or all others."""
        # Of equals the last: its weights are the ones that were kept.
        best = max(reversed(self.rungs), key=lambda rung: rung.val_accuracy, default=None)
        if best is not None and best.seed is not None:
            return [best]
        return [rung for rung in self.rungs if rung.seed is None]

    @property
    def repeats(self) -> list[Trained]:
        """Its trainings from other seeds."""
        return [rung for rung in self.rungs if rung.seed is not None]

    @property
    def spread(self) -> list[tuple[int, float]]:
        """Seed and validation accuracy of its own trainings, and of each that began anew."""
        own = [rung.val_accuracy for rung in self.rungs if rung.seed is None]
        others = [(rung.seed, rung.val_accuracy) for rung in self.rungs if rung.seed is not None]
        return [(self.seed, max(own)), *others] if own else []

    @property
    def epoch_seconds(self) -> float | None:
        """What an epoch takes it; None before it was trained."""
        return self.rungs[-1].seconds_per_epoch if self.rungs else None

    def at_rung(self, number: int) -> Trained | None:
        """Returns its training of one round; None: it was not in it, or not to the end."""
        return next((rung for rung in self.rungs if rung.rung == number and rung.whole), None)


@dataclass(frozen=True)
class TrialFolder:
    """The folder ``trials`` of a run."""

    path: Path

    def of(self, trial: Trial) -> Path:
        """Returns the folder of a trial."""
        return self.path / trial.name

    def model(self, trial: Trial) -> Path:
        """Returns where the trial's weights lie, once it has some."""
        return self.of(trial) / MODEL

    def keep(self, trial: Trial, files: Mapping[str, Path] | None = None) -> None:
        """Writes a trial down, its files first.

        Raises:
            OutputError: it cannot be written.
        """
        folder = make_folder(self.of(trial))
        for name, source in (files or {}).items():
            keep_file(source, folder / name)
        record = {
            "number": trial.number,
            "candidate": trial.candidate.to_plain(),
            "what": str(trial.candidate),
            "setting": dict(trial.setting),
            "state": trial.state,
            "why": trial.why,
            "facts": None if trial.facts is None else trial.facts.to_plain(),
            "rungs": [asdict(rung) for rung in trial.rungs],
            "tries": trial.tries,
            "seed": trial.seed,
            "at": trial.at,
            "begun": trial.begun,
        }
        write_json(folder / RESULT, record)

    def read(self) -> list[Trial]:
        """Returns the trials that are here, by their numbers.

        Raises:
            RunError: a record is damaged.
        """
        if not self.path.is_dir():
            return []
        found = [_read(path) for path in sorted(self.path.glob(f"*/{RESULT}"))]
        return sorted(found, key=lambda trial: trial.number)


def keep_file(source: Path, target: Path) -> None:
    """Copies a file to its place, whole or not at all."""
    with atomic_path(target) as partial:
        shutil.copyfile(source, partial)


def _read(path: Path) -> Trial:
    """Returns the trial that a record tells of."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        rungs = [Trained(**{**rung, "curve": tuple(rung["curve"])}) for rung in record["rungs"]]
        facts = None if record["facts"] is None else Facts.of_plain(record["facts"])
        return Trial(
            record["number"],
            Candidate.of_plain(record["candidate"]),
            record["setting"],
            record["state"],
            record["why"],
            facts,
            rungs,
            record["tries"],
            record["seed"],
            record["at"],
            list(record["begun"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path} cannot be read ({type(error).__name__}). Remove its folder and resume; it is then "
            "tried again."
        ) from None


def best_first(trials: Sequence[Trial]) -> list[Trial]:
    """Sorts trials: those that came furthest first, and of these the most accurate."""
    return sorted(trials, key=lambda trial: (-trial.rung, -trial.accuracy, trial.number))
