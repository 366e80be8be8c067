"""Temporary folders that fail in one line where the disk is full or cannot be written."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trimtab.errors import OutputError

__all__ = ["temporary_folder"]


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Gives a folder that is gone after the block.

    Raises:
        OutputError: it cannot be made, or the block cannot read or write a file (any `OSError`).
    """
    try:
        with tempfile.TemporaryDirectory(prefix="trimtab-") as name:
            yield Path(name)
    except OSError as error:
        raise OutputError(
            f"Temporary files cannot be written ({error.strerror or error}). Free some space, or set TMPDIR "
            "to a folder that can be written."
        ) from error
