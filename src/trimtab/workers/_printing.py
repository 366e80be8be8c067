"""Where what a job prints goes: to its folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from trimtab._atomic import make_folder

__all__ = ["print_to"]


def print_to(folder: Path) -> None:
    """Lets everything that this process prints from now on, native code too, go to ``log.txt`` in a folder.

    Raises:
        OSError: the file cannot be opened.
        OutputError: the folder cannot be made.
    """
    make_folder(folder)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
