"""Optuna's journal in a folder of ours: imported late, kept quiet, and mended after a kill."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trimtab._atomic import as_output_error, make_folder

__all__ = ["open_journal", "quiet_optuna"]

_NAME = "journal.log"


@contextlib.contextmanager
def quiet_optuna() -> Iterator[Any]:
    """Gives the module `optuna`, without its greetings and its words on what is experimental."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def open_journal(folder: Path) -> Any:
    """Returns Optuna's storage over the journal in a folder; there is one afterwards.

    One process writes to it, which holds the lock of the run folder. So a lock of Optuna's that is there was
    left by a process that was killed, and a last line without an end is one that it was writing: what it
    told of never came back to anybody, and it is cut off.

    Raises:
        OutputError: the folder cannot be written.
    """
    make_folder(folder)
    path = folder / _NAME
    with as_output_error(path), quiet_optuna() as optuna:
        lock = optuna.storages.journal.JournalFileOpenLock(str(path))
        path.with_name(f"{_NAME}.lock").unlink(missing_ok=True)
        _cut_torn_line(path)
        backend = optuna.storages.journal.JournalFileBackend(str(path), lock_obj=lock)
        return optuna.storages.JournalStorage(backend)


def _cut_torn_line(path: Path) -> None:
    """Removes what stands after the last end of a line."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("rb+") as file:
            file.truncate(whole)
