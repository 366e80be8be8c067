"""``run.json`` of a search's own folder: which kind of run it is, of what, and how far it got."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trimtab._atomic import write_json
from trimtab._lock import LOCK_NAME
from trimtab._version import __version__
from trimtab.errors import OutputError, RunError

__all__ = ["RunFile"]

_FORMAT = 1


class RunFile:
    """The record of a run that is no recipe's: `trimtab tune`, say.

    Args:
        folder: of the run.
        kind: the command's name.
        facts: what it is a run of: data, seed, settings, as plain data.
    """

    def __init__(self, folder: Path, kind: str, facts: Mapping[str, Any]) -> None:
        from trimtab.benchmarking import machine, versions

        self.path = folder / "run.json"
        self._record: dict[str, Any] = {
            "format": _FORMAT,
            "kind": kind,
            "trimtab": __version__,
            **facts,
            "created": self._earlier().get("created") or _now(),
            "machine": machine(),
            "versions": versions(),
        }

    def write(self, status: str, seconds: float | None = None) -> None:
        """Writes how far it got: "running", "complete" or "interrupted".

        Raises:
            OutputError: it cannot be written.
        """
        finished = None if status == "running" else _now()
        write_json(self.path, {**self._record, "status": status, "finished": finished, "seconds": seconds})

    @staticmethod
    def check_free(folder: Path, kind: str, *, resume: bool) -> None:
        """Refuses a folder that something else is in.

        Raises:
            RunError: it holds another kind of run, one that is not to be gone on with, or other files.
            OutputError: it cannot be looked into.
        """
        found = _read(folder / "run.json")
        if found is not None and found.get("kind", "run") != kind:
            raise RunError(
                f"{folder} holds what `trimtab {found.get('kind', 'run')}` made. "
                "Choose another folder with --out."
            )
        if found is not None:
            if not resume:
                raise RunError(
                    f"{folder} holds a run already. Add --resume to go on with it, or choose another folder "
                    "with --out."
                )
            return
        try:
            names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be looked into ({error.strerror}). Choose another folder with --out."
            ) from None
        if names and LOCK_NAME not in names:
            raise RunError(f"{folder} is not empty and holds no run. Choose another folder with --out.")

    def _earlier(self) -> dict[str, Any]:
        return _read(self.path) or {}


def _read(path: Path) -> dict[str, Any] | None:
    """Returns a run's record; None where there is none.

    Raises:
        RunError: it is damaged.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read as JSON ({type(error).__name__}). Choose another folder."
        ) from None
    if not isinstance(record, dict):
        raise RunError(f"{path} does not hold a JSON object. Choose another folder.")
    return record


def _now() -> str:
    """Returns the time in ISO 8601 with the zone, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
