"""The baseline that nobody gave: a network trained first, its rate and augmentation tuned a little."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trimtab._atomic import make_folder, write_json
from trimtab.compression._brief import Brief
from trimtab.compression._candidate import Candidate, Lesson, ZooNetwork
from trimtab.compression._families import Ladder
from trimtab.compression._plan import Pace, batch_size_for
from trimtab.compression._travelling_data import ARRAYS
from trimtab.compression._trials import Trained, keep_file
from trimtab.errors import RunError
from trimtab.workers import Job, JobResult

__all__ = ["BaselineTraining", "read_baseline", "write_baseline"]

_WIDTHS = (32, 24, 16, 12, 8, 6)
_LEAST_SHARE = 1 / 3  # of a full training: a wider network that is trained for less is the worse teacher
_LESSONS = (Lesson(3e-3), Lesson(3e-3, "all"), Lesson(1e-3))
_AUGMENTED_IS_WORTH = 0.03  # accuracy that augmentation may cost at first: it pays at the end
_AUGMENTED_EPOCHS = 10


class BaselineTraining:
    """Trains a baseline: three ways for a short while, the best of them for all the time there is.

    Args:
        brief: what the search is about.
        ladders: of the families that suit the images.
        pace: how long training takes here.
        data: what `sent` returned.
        epochs: of the whole training, where an earlier process decided on them.
        decided: told of these epochs before the training begins.
    """

    def __init__(
        self,
        brief: Brief,
        ladders: list[Ladder],
        pace: Pace,
        data: Mapping[str, Any],
        *,
        epochs: int | None = None,
        decided: Callable[[int], None] | None = None,
    ) -> None:
        self._brief, self._pace, self._data = brief, pace, data
        self._epochs, self._decided = epochs, decided
        self.network, self._macs = self._chosen(ladders)
        self._given_out: set[str] = set()
        self._variants: dict[str, tuple[Candidate, Trained, Path]] = {}
        self._running: str | None = None
        self.done = False

    @property
    def tuned(self) -> int:
        """How many ways are tried first: one, where there is little time."""
        seconds = self._pace.epoch(self._macs) + self._pace.overhead
        room = 0.35 * self._brief.plan.baseline_ends * min(self._brief.plan.workers, len(_LESSONS))
        return len(_LESSONS) if seconds * len(_LESSONS) <= room else 1

    def next(self, now: float) -> Job | None:
        """Returns the next job; None: nothing to do now."""
        if self.done or self._running is not None:
            return None
        if self.tuned > 1:
            for number in range(self.tuned):
                key = f"baseline-{number}"
                if key not in self._given_out:
                    self._given_out.add(key)
                    return self._job(key, Candidate(self.network, _LESSONS[number]), 1, None)
            if len(self._variants) < self.tuned:
                return None
        self._running = "baseline"
        candidate, start = self._best()
        if self._epochs is None:
            left = max(self._brief.plan.baseline_ends - now, 0.0) - self._pace.overhead
            epochs = int(left / max(self._pace.epoch(self._macs), 1e-6))
            self._epochs = min(max(epochs, 1), self._brief.plan.full_epochs)
            if self._decided is not None:
                self._decided(self._epochs)
        return self._job("baseline", candidate, self._epochs, start)

    def finished(self, result: JobResult, accuracy: Any = None) -> None:  # noqa: ARG002
        """Takes in how a job of the baseline ended."""
        if result.error is not None:
            raise RunError(f"The baseline could not be trained: {result.error}.")
        if result.cancelled or not result.record:
            self._given_out.discard(result.key)
            self._running = None if self._running == result.key else self._running
            return  # a training that was stopped is no baseline; it is gone on with another time
        record = result.record
        trained = Trained(
            0,
            record["epochs"],
            1.0,
            record["val_accuracy"],
            record["seconds"],
            record["seconds_per_epoch"],
            None,
            tuple(record["curve"]),
        )
        beside = record["seconds"] - record["epochs"] * record["seconds_per_epoch"]
        self._pace.learn(self._macs, record["seconds_per_epoch"], beside)
        if result.key == "baseline":
            self._keep(trained, result)
        else:
            number = int(result.key.rsplit("-", 1)[1])
            candidate = Candidate(self.network, _LESSONS[number])
            self._variants[result.key] = (candidate, trained, result.files["model.keras"])

    def _keep(self, trained: Trained, result: JobResult) -> None:
        """Writes the finished baseline down."""
        candidate, _ = self._best()
        folder = make_folder(self._brief.baseline)
        for name in ("model.keras", "history.csv"):
            keep_file(result.files[name], folder / name)
        tuned = [
            {"lesson": asdict(each.lesson), "val_accuracy": done.val_accuracy, "epochs": done.epochs}
            for each, done, _ in self._variants.values()
        ]
        write_baseline(
            folder,
            {
                "given": False,
                "candidate": candidate.to_plain(),
                "what": str(candidate.network),
                "val_accuracy": trained.val_accuracy,
                "epochs": trained.epochs,
                "seconds": trained.seconds,
                "seconds_per_epoch": trained.seconds_per_epoch,
                "tuned": tuned,
            },
        )
        self.done = True

    def _best(self) -> tuple[Candidate, Path | None]:
        """Returns the way that is trained on, and the weights that it has so far."""
        if not self._variants:
            return Candidate(self.network, _LESSONS[0]), None
        worth = _AUGMENTED_IS_WORTH if self._epochs_ahead() >= _AUGMENTED_EPOCHS else -1.0
        order = sorted(
            self._variants.values(),
            key=lambda each: (
                -each[1].val_accuracy - (worth if each[0].lesson.augmentation != "none" else 0.0)
            ),
        )
        return order[0][0], order[0][2]

    def _epochs_ahead(self) -> float:
        """Estimates the epochs of the whole training."""
        return self._brief.plan.baseline_ends / max(self._pace.epoch(self._macs), 1e-6)

    def _job(self, key: str, candidate: Candidate, epochs: int, start: Path | None) -> Job:
        """Returns the job that trains it."""
        batch = batch_size_for(self._brief.images)
        arguments = self._brief.training_arguments(self._data, batch)
        arguments |= {"candidate": candidate.to_plain(), "epochs": epochs, "share": 1.0}
        files = {} if start is None else {"start": start}
        return Job(key, "trimtab.compression._trial:train_leg", arguments, ARRAYS, files)

    def _chosen(self, ladders: list[Ladder]) -> tuple[ZooNetwork, float]:
        """Chooses the network: the widest plain CNN, two convolutions a stage, that has time to learn.

        On a CPU an epoch of a narrow residual network takes about twice as long as one of a plain CNN in as
        many bytes, and a baseline must be trained well before it can teach.
        """
        by_name = {ladder.family.name: ladder for ladder in ladders}
        ladder = by_name.get("cnn") or by_name.get("cnn-two-stages") or ladders[0]
        seconds = self._brief.plan.baseline_ends * 0.8
        for width in _WIDTHS:
            macs = float(ladder.expected(width)["macs"] or 0.0)
            if self._pace.epoch(macs) * _LEAST_SHARE * self._brief.plan.full_epochs <= seconds:
                break
        return replace(ladder.family.network(width)), macs


def write_baseline(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes the baseline's record, last of its files."""
    write_json(folder / "result.json", record)


def read_baseline(folder: Path) -> dict[str, Any] | None:
    """Returns the baseline's record; None: it is not done.

    Raises:
        RunError: the record is damaged.
    """
    path = folder / "result.json"
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {**record, "val_accuracy": float(record["val_accuracy"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} cannot be read ({type(error).__name__}). Begin anew in another folder."
        ) from None
