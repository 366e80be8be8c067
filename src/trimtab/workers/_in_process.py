"""Jobs one after another in this very process: for tests, and for machines with little memory."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from trimtab._atomic import make_folder
from trimtab.errors import OutputError
from trimtab.workers._context import Context
from trimtab.workers._job import JobResult
from trimtab.workers._job_folder import keep_result
from trimtab.workers._perform import perform
from trimtab.workers._workers import Pending, Workers

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["InProcess"]

_NAME = "this process"


class _ReportRefused(BaseException):
    """Who was told a report raised an error: that is no error of the job, so it must not catch this."""


class InProcess(Workers):
    """Does each job when `wait` is called, in this process.

    Args:
        folder: where the jobs have their folders.

    Raises:
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._line: deque[Pending] = deque()
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    @property
    def count(self) -> int:
        """One job at a time."""
        return 1

    def wait(self, timeout: float | None = None) -> list[JobResult]:  # noqa: ARG002 - it cannot be kept
        """Does the next job, if no result is there already."""
        if not self._ready and self._line:
            self._do(self._line.popleft())
        return self._take_ready()

    def paused(self) -> AbstractContextManager[None]:
        """Nothing runs here between two calls of `wait`."""
        return nullcontext()

    def close(self) -> None:
        """Forgets what was in line."""
        self._line.clear()
        self._pending.clear()
        self._arrays.clear()

    def _share(self, name: str, array: npt.NDArray[Any]) -> None:
        view = array.view()
        view.flags.writeable = False
        self._arrays[name] = view

    def _begin(self, pending: Pending) -> None:
        self._line.append(pending)

    def _cancel(self, pending: Pending) -> None:
        if pending in self._line:
            self._line.remove(pending)
            self._never_began(pending)

    def _do(self, pending: Pending) -> None:
        pending.attempts += 1
        job, outside = pending.job, (sys.stdout, sys.stderr)

        def report(record: dict[str, Any]) -> None:
            with contextlib.redirect_stdout(outside[0]), contextlib.redirect_stderr(outside[1]):
                try:
                    pending.tell(record)
                except Exception as error:
                    raise _ReportRefused from error

        context = Context(
            job.key,
            pending.folder,
            {name: self._arrays[name] for name in job.shared},
            {name: Path(path) for name, path in job.files.items()},
            report,
            lambda: pending.cancelled,
        )
        try:
            with (
                _log(pending.folder) as log,
                contextlib.redirect_stdout(log),
                contextlib.redirect_stderr(log),
            ):
                outcome = perform(job.function, job.arguments, context)
            keep_result(pending.folder, pending.digest, outcome, _NAME)
        except _ReportRefused as refused:
            del self._pending[job.key]
            raise refused.__cause__ or refused from None
        except BaseException:
            # Ctrl-C or a full disk: the job has no result, and may be submitted again.
            del self._pending[job.key]
            raise
        self._ended(pending, outcome, _NAME)


@contextlib.contextmanager
def _log(folder: Path) -> Iterator[TextIO]:
    """Opens what a job prints to."""
    make_folder(folder)
    try:
        with (folder / "log.txt").open("a", encoding="utf-8", buffering=1) as file:
            yield file
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}). Free some space.") from error
