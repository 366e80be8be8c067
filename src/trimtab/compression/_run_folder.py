"""The run folder of a compression: what is asked for, what was decided once, and how it ended.

::

    run.json       what was asked, on which machine, with which seed and versions; how it ended
    search.json    what was decided once and must stay: the limits, the first round, ...
    study/         the journal of the proposals
    baseline/      result.json, model.keras, history.csv; file/ holds its own files
    trials/NNNN/   result.json: candidate, facts, rounds of training, what became of it; its model
    finalists/NAME/  result.json: the chain; model.keras, model.tflite and its record
    front.json     the answer
    benchmark/     result.json, predictions.npz, behaviour.json, changed.npz
    best.tflite, best.keras   the chosen one
    work/          of the workers; can be removed when the run is complete
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab._atomic import write_json
from trimtab._lock import LOCK_NAME
from trimtab._version import __version__
from trimtab.compression._budget import Limits
from trimtab.compression._plan import Rung
from trimtab.errors import OutputError, RunError

__all__ = ["FORMAT", "KIND", "CompressionFolder", "default_folder"]

FORMAT = 1
KIND = "compress"
_SAME = {"budget": "budget", "data_digest": "images", "model_digest": "model", "seed": "seed"}


@dataclass(frozen=True)
class CompressionFolder:
    """Where a compression keeps everything it made.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def run_file(self) -> Path:
        """``run.json``."""
        return self.path / "run.json"

    def holds_run(self) -> bool:
        """Says whether a run was begun here."""
        try:
            return self.run_file.is_file()
        except OSError:  # a name too long for a file, or a folder that may not be looked into
            return False

    def check_free(self, resume: bool) -> None:
        """Refuses a folder that something else is in.

        Raises:
            RunError: it holds a run that is not to be gone on with, or other files.
            OutputError: it cannot be looked into.
        """
        if self.holds_run():
            if not resume:
                raise RunError(
                    f"{self.path} holds a run already. Add --resume {self.path} to go on with it, or choose "
                    "another folder with --out."
                )
            self.read()
            return
        try:
            names = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set()
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be looked into ({error.strerror}). Choose another folder with --out."
            ) from None
        if resume and not names:
            raise RunError(f"{self.path} holds no run to go on with. Leave --resume out to begin one.")
        if names - {LOCK_NAME}:
            raise RunError(f"{self.path} is not empty and holds no run. Choose another folder with --out.")

    def read(self) -> dict[str, Any]:
        """Returns ``run.json``.

        Raises:
            RunError: it is missing, damaged, of another kind or of another version.
        """
        record = _json(self.run_file)
        if record.get("kind") != KIND:
            raise RunError(
                f"{self.path} holds another kind of run. Give a folder that `trimtab compress` made."
            )
        if record.get("format") != FORMAT or record.get("trimtab") != __version__:
            raise RunError(
                f"{self.path} was made by Trimtab {record.get('trimtab')} (format "
                f"{record.get('format')}); this "
                f"is {__version__} (format {FORMAT}). Go on with that version, or begin in a new folder."
            )
        return record

    def begin(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Writes down what is asked for, before anything is computed; or checks that it was asked before.

        Args:
            asked: what makes the run this one, and what there is to say about it.

        Returns:
            The record; that of a run that is complete, where no more time is given now.

        Raises:
            RunError: the folder holds a run that asks for something else.
        """
        earlier = self.read() if self.holds_run() else {}
        for name, told in _SAME.items():
            if earlier and earlier.get(name) != asked.get(name):
                raise RunError(
                    f"{self.path} was begun with another {told} ({earlier.get(name)!r}, now "
                    f"{asked.get(name)!r}). Give the same one, or begin in a new folder."
                )
        finished = earlier.get("status") == "complete" and asked["minutes"] <= earlier["minutes"]
        if finished:
            return earlier
        record = {
            "format": FORMAT,
            "kind": KIND,
            "trimtab": __version__,
            **asked,
            "created": earlier.get("created", now()),
            "finished": None,
            "status": "running",
        }
        write_json(self.run_file, record)
        return record

    def end(
        self, record: Mapping[str, Any], ending: str, seconds: float, stages: Mapping[str, float]
    ) -> None:
        """Writes down how the run ended.

        Args:
            record: what `begin` returned.
            ending: ``"done"``, ``"time"`` or ``"interrupted"``.
            seconds: that the search took.
            stages: seconds of each stage, by its name.
        """
        told = {
            "finished": now(),
            "status": "interrupted" if ending == "interrupted" else "complete",
            "ending": ending,
            "seconds": seconds,
            "stages": [{"name": name, "seconds": round(value, 1)} for name, value in stages.items()],
        }
        write_json(self.run_file, {**record, **told})

    def rungs(self) -> list[Rung]:
        """Returns the first round of training, where an earlier process decided on it."""
        return [Rung(**rung) for rung in self._decisions().get("rungs", [])]

    def decided(self, rung: Rung) -> None:
        """Writes the first round of training down."""
        write_json(self._search_file, {**self._decisions(), "rungs": [rung]})

    def baseline_epochs(self) -> int | None:
        """Returns for how long the baseline is trained, where an earlier process decided on it."""
        epochs: int | None = self._decisions().get("baseline_epochs")
        return epochs

    def baseline_decided(self, epochs: int) -> None:
        """Writes down for how long the baseline is trained."""
        write_json(self._search_file, {**self._decisions(), "baseline_epochs": epochs})

    def limited(self, limits: Limits) -> None:
        """Writes down the limits in plain units, for who looks at a run that is not finished."""
        write_json(self._search_file, {**self._decisions(), "limits": limits})

    def reference(self) -> dict[str, Any] | None:
        """Returns what the baseline's file costs, where an earlier process found out."""
        found: dict[str, Any] | None = self._decisions().get("reference")
        return found

    def referred(self, reference: Mapping[str, Any]) -> None:
        """Writes down what the baseline's file costs; what may be proposed depends on it."""
        write_json(self._search_file, {**self._decisions(), "reference": reference})

    @property
    def _search_file(self) -> Path:
        return self.path / "search.json"

    def _decisions(self) -> dict[str, Any]:
        """Returns what was decided so far."""
        return _json(self._search_file) if self._search_file.is_file() else {}


def default_folder() -> Path:
    """Returns where a run goes if nobody says: a new folder under ``runs``."""
    return Path("runs") / f"compress-{datetime.datetime.now():%Y%m%d-%H%M%S}"


def now() -> str:
    """Returns the time in ISO 8601 with the zone, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def _json(path: Path) -> dict[str, Any]:
    """Returns a JSON object from a file."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read as JSON ({type(error).__name__}). Give a folder that `trimtab "
            "compress` made, "
            "or begin in a new one."
        ) from None
    if not isinstance(record, dict):
        raise RunError(f"{path} does not hold a JSON object. Begin in a new folder.")
    return record
