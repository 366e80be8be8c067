"""Writes that happen whole or not at all: temporary file, fsync, rename.

A file that exists under its final name is complete, whatever killed the process that wrote it. The
pipeline relies on it: a stage is done when its result file exists.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trimtab._records import to_plain
from trimtab.errors import OutputError

__all__ = [
    "as_output_error",
    "atomic_path",
    "check_writable",
    "make_folder",
    "write_bytes",
    "write_json",
    "write_text",
]


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path beside `path`; renames it to `path` if the block succeeds.

    The temporary name ends like `path` does, since Keras and Pillow choose a format by the ending.

    Args:
        path: the file to write. Its folder is made if it is missing.

    Raises:
        OutputError: the folder cannot be written, or the disk is full. Nothing is left behind.
    """
    path = Path(path)
    make_folder(path.parent)
    partial = path.with_name(f".{secrets.token_hex(4)}.partial.{path.name}")
    try:
        with as_output_error(path):
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Makes a folder and its parents, and says in one line why that cannot be done.

    Raises:
        OutputError: the folder cannot be made.
    """
    path = Path(path)
    with as_output_error(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def check_writable(path: str | os.PathLike[str]) -> None:
    """Sees before long work whether its result could be written to `path`; makes the folder.

    Raises:
        OutputError: it could not.
    """
    path = Path(path)
    make_folder(path.parent)
    probe = path.with_name(f".{secrets.token_hex(4)}.partial")
    with as_output_error(path):
        probe.touch()
        probe.unlink()


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes bytes to `path`, whole or not at all; raises `OutputError` where it cannot."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Writes text as UTF-8 to `path`, whole or not at all; raises `OutputError` where it cannot."""
    write_bytes(path, content.encode())


def write_json(path: str | os.PathLike[str], record: Any) -> None:
    """Writes a record (see `trimtab._records.to_plain`) as JSON to `path`, whole or not at all."""
    write_text(path, json.dumps(to_plain(record), indent=2, allow_nan=False) + "\n")


@contextlib.contextmanager
def as_output_error(path: Path) -> Iterator[None]:
    """Turns what the system says of a failed write into one line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutputError(
                f"The disk is full: {path} was not written. Free some space and run again."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(
                f"{path} cannot be written (permission denied). Choose another output folder."
            ) from error
        if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
            raise OutputError(
                f"{path} cannot be written: a file or folder is in the way. Choose another output."
            ) from error
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power cut, where the system can (POSIX)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
