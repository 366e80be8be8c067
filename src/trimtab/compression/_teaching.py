"""The teacher of a search: asked about each image once, its answers shared with all workers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.compression._brief import Brief
from trimtab.compression._travelling_data import ARRAYS
from trimtab.errors import RunError
from trimtab.workers import Job, JobResult, Workers

__all__ = ["Teaching"]

_VIEWS = 4  # augmented versions of each image that the teacher is asked about
_PREFIX = "answers-"


class Teaching:
    """Whose answers are learned, and which of them are there.

    Args:
        brief: what the search is about.
        workers: they ask the teacher, and get its answers.
        data: what `sent` returned.
    """

    def __init__(self, brief: Brief, workers: Workers, data: Mapping[str, Any]) -> None:
        self._brief, self._workers, self._data = brief, workers, data
        self._teacher: Path | None = None
        self._digest = ""
        self.name: str | None = None
        self.accuracy = 0.0
        self._views: dict[str, dict[int, Path]] = {}
        self._given_out: set[str] = set()
        self._under_way: set[str] = set()
        self._shared: set[str] = set()

    def learn_from(self, model: Path, name: str, accuracy: float) -> None:
        """Makes a model the teacher from now on.

        Args:
            model: its file.
            name: what records call it.
            accuracy: its validation accuracy.
        """
        with model.open("rb") as file:
            self._digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        self._teacher, self.name, self.accuracy = model, name, accuracy

    def answers(self, augmentation: str) -> str | None:
        """Returns the name of the shared answers for images changed so; None: they are not there yet."""
        name = self._name(augmentation)
        return name if name in self._shared else None

    def next(self, augmentation: str) -> Job | None:
        """Returns the job that asks for some of these answers; None: all are asked for."""
        if self._teacher is None:
            return None
        for view in range(self._count(augmentation)):
            key = f"{_PREFIX}{self._digest}-{augmentation}-{view}"
            if key not in self._given_out:
                self._given_out.add(key)
                self._under_way.add(key)
                arguments = {"data": dict(self._data), "augmentation": augmentation, "view": view}
                arguments["seed"] = self._brief.seed
                return Job(
                    key, "trimtab.compression._trial:answer", arguments, ARRAYS, {"teacher": self._teacher}
                )
        return None

    @property
    def asking(self) -> bool:
        """Whether a teacher is being asked."""
        return bool(self._under_way)

    def owns(self, key: str) -> bool:
        """Says whether a job is one of these."""
        return key.startswith(_PREFIX)

    def finished(self, result: JobResult) -> None:
        """Takes in the answers to one view, and shares them when all views are there.

        Raises:
            RunError: the teacher could not be asked.
        """
        self._under_way.discard(result.key)
        if result.error is not None:
            raise RunError(f"The teacher could not be asked: {result.error}.")
        if "logits.npy" not in result.files:
            self._given_out.discard(result.key)
            return
        digest, augmentation, view = result.key.removeprefix(_PREFIX).rsplit("-", 2)
        name = f"{_PREFIX}{digest}-{augmentation}"
        views = self._views.setdefault(name, {})
        views[int(view)] = result.files["logits.npy"]
        if len(views) == self._count(augmentation):
            logits = [np.load(views[number], allow_pickle=False) for number in sorted(views)]
            self._workers.share(name, np.stack(logits))
            self._shared.add(name)

    def _name(self, augmentation: str) -> str:
        return f"{_PREFIX}{self._digest}-{augmentation}"

    def _count(self, augmentation: str) -> int:
        return 1 if augmentation == "none" else _VIEWS
