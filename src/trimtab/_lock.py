"""One process at a time: a lock on a folder that the system lets go of when its holder is killed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trimtab._atomic import make_folder
from trimtab.errors import OutputError, RunError

__all__ = ["LOCK_NAME", "locked"]

LOCK_NAME = ".lock"
"""The file in the folder that is locked; it stays there."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a second process from writing to the same folder; makes the folder if it is missing.

    Raises:
        RunError: another process is at work here.
        OutputError: the folder cannot be written.
    """
    make_folder(folder)
    try:
        file = (folder / LOCK_NAME).open("a+b")
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror}). Choose another output folder with --out."
        ) from None
    with file:
        if not _try_lock(file):
            raise RunError(
                f"another process is writing to {folder}. Wait for it, or choose another folder with --out."
            )
        yield


def _try_lock(file: Any) -> bool:
    """Takes an exclusive lock on an open file without waiting; says whether it was to be had."""
    try:
        import fcntl
    except ImportError:  # Windows has no fcntl; its own call locks a byte
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
