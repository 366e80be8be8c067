"""Files that belong together, written as a set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from trimtab import _atomic

__all__ = ["write_set"]


def write_set(contents: Mapping[Path, bytes]) -> None:
    """Writes several files, or none where the disk is full: all are on disk before the first is renamed.

    They take their final names in the order of the mapping, so the file that vouches for the others
    comes last.

    Raises:
        OutputError: a file cannot be written. Those of before are still there.
    """
    with contextlib.ExitStack() as partials:
        # Entered last is renamed first.
        for path, content in reversed(list(contents.items())):
            partial = partials.enter_context(_atomic.atomic_path(path))
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # a disk that is full late says so here, while nothing is renamed
