"""Doing one job, wherever it is done: call the function, and turn all that can happen into plain data."""

from __future__ import annotations

import contextlib
import errno
import importlib
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab._atomic import make_folder, write_text
from trimtab.errors import ConfigError, OutputError, TrimtabError, first_line
from trimtab.workers._context import Context
from trimtab.workers._job import as_plain

__all__ = ["Outcome", "perform"]

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Outcome:
    """How a function ended, as it travels back.

    Args:
        record: what it returned.
        seconds: wall time.
        error: one line, or None.
        traceback: the whole of it, or an empty string.
        unwritten: the error is that a file cannot be written: no fault of the job.
        cancelled: it was told to stop.
    """

    record: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    traceback: str = ""
    unwritten: bool = False
    cancelled: bool = False


def perform(function: str, arguments: Mapping[str, Any], context: Context) -> Outcome:
    """Calls a job's function; only Ctrl-C and the like come through as exceptions.

    The traceback of one that fails goes to ``error.txt`` in the job's folder too.

    Args:
        function: ``"package.module:name"``.
        arguments: what it is given first.
        context: what it is given second.
    """
    began = time.perf_counter()
    try:
        shutil.rmtree(context.out, ignore_errors=True)  # a job that is begun again begins with none
        make_folder(context.out)
        record = as_plain(_load(function)(dict(arguments), context))
    except (Exception, SystemExit) as error:
        trace = traceback.format_exc()
        with contextlib.suppress(OutputError):  # a disk may be full; the traceback travels as well
            write_text(context.folder / "error.txt", trace)
        unwritten = isinstance(error, OutputError) or (
            isinstance(error, OSError) and error.errno in _DISK_FULL
        )
        return Outcome(
            seconds=time.perf_counter() - began,
            error=_one_line(error),
            traceback=trace,
            unwritten=unwritten,
            cancelled=context.cancelled,
        )
    return Outcome(record, time.perf_counter() - began, cancelled=context.cancelled)


def _load(function: str) -> Any:
    module, _, name = function.partition(":")
    found = getattr(importlib.import_module(module), name, None)
    if not callable(found):
        raise ConfigError(f"{module} has no function {name!r}.")
    return found


def _one_line(error: BaseException) -> str:
    if isinstance(error, TrimtabError):
        return first_line(error, 1000)
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        where = f": {error.filename} was not written" if error.filename else ""
        return f"The disk is full{where}. Free some space and run again"
    said = first_line(error)
    kind = type(error).__name__
    return said if said == kind else f"{kind}: {said}"
