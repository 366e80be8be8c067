"""What goes to a worker and what comes back: a job, its reports, its result."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trimtab._records import to_plain
from trimtab._version import __version__
from trimtab.errors import ConfigError, DataError

__all__ = ["Job", "JobResult", "Report", "as_plain", "check_name"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Example::

        Job("trial-7", "trimtab.compression._trial:train_candidate", {"width": 0.5}, shared=("images",))

    Args:
        key: names the work, and its folder: letters, digits, ``-``, ``_`` and ``.``.
        function: ``"package.module:name"`` of a function that takes ``(arguments, context)`` and returns a
            record. It must be importable where the workers are; never code from a user's file.
        arguments: plain data, as JSON has it; see `trimtab._records.to_plain` for what becomes plain.
        shared: names of the arrays it needs, given to `Workers.share` beforehand.
        files: files that it reads, by name: `Context.files` says where they lie. On a cluster they travel.

    Raises:
        ConfigError: a key or function that makes no sense.
        DataError: a file that cannot be read.
    """

    key: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.key, "A job's key")
        for name in self.files:
            check_name(name, "The name of a job's file")
        if not _FUNCTION.fullmatch(self.function):
            raise ConfigError(f"A job's function is 'package.module:name'. Received: {self.function!r}.")
        object.__setattr__(self, "arguments", as_plain(self.arguments))

    def digest(self) -> str:
        """Identifies the work by everything that decides its result, in hexadecimal.

        Arrays count by their names: give one that differs another name.

        Raises:
            DataError: a file that cannot be read.
        """
        what = {
            "version": __version__,
            "function": self.function,
            "arguments": self.arguments,
            "shared": sorted(self.shared),
            "files": {name: _file_digest(Path(path)) for name, path in self.files.items()},
        }
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Report:
    """What a job says while it runs, such as an epoch's accuracy.

    Args:
        key: the job's.
        record: plain data.
    """

    key: str
    record: Mapping[str, Any]


@dataclass(frozen=True)
class JobResult:
    """How a job ended. Each submitted job has exactly one.

    Args:
        key: the job's.
        record: what its function returned; empty where it failed or never began.
        files: what it left in `Context.out`, by path below that folder; the files lie on this machine.
        folder: the job's on this machine: ``log.txt`` (what it printed), ``error.txt`` (the traceback).
        worker: which worker did it.
        seconds: wall time of the function.
        error: one line that says why it failed; None where it did not.
        cancelled: it ended early because `Workers.cancel` asked it to, or never began.
        attempts: how often it was begun; more than 1 where workers died under it.
    """

    key: str
    record: Mapping[str, Any]
    files: Mapping[str, Path]
    folder: Path
    worker: str
    seconds: float
    error: str | None = None
    cancelled: bool = False
    attempts: int = 1


def as_plain(record: Any) -> dict[str, Any]:
    """Returns a record as it is after travelling as JSON, wherever it goes.

    Raises:
        ConfigError: it is no mapping, or holds something that has no plain form.
    """
    if not isinstance(record, Mapping):
        raise ConfigError(f"A record is a dict of plain data. Received: {type(record).__name__}.")
    try:
        plain: dict[str, Any] = json.loads(json.dumps(to_plain(record)))
    except TypeError as error:
        raise ConfigError(f"A record is plain data, as JSON has it: {error}.") from None
    return plain


def check_name(name: str, what: str) -> None:
    """Refuses a name that cannot be a file's on every system.

    Raises:
        ConfigError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{what} is 1 to 100 letters, digits, '-', '_' and '.', and begins with none of '-.'. "
            f"Received: {name!r}."
        )


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). A job needs it.") from None
