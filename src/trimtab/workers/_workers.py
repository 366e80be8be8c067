"""`Workers`: what every way of doing jobs offers."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from trimtab._atomic import make_folder
from trimtab.errors import ConfigError, OutputError
from trimtab.workers._job import Job, JobResult, Report, check_name
from trimtab.workers._job_folder import found_result, listed_files, prepare
from trimtab.workers._perform import Outcome

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["GIVEN_AGAIN", "GIVEN_AGAIN_IN_CLUSTER", "Pending", "Workers"]

GIVEN_AGAIN = 2
"""How often a job is given to another worker after the one that had it died; then it counts as failed."""
GIVEN_AGAIN_IN_CLUSTER = 5
"""The same on a cluster, whose machines may leave for no fault of the job."""


@dataclass
class Pending:
    """A job that has been submitted and has no result yet.

    Args:
        job: what was submitted.
        digest: identifies the work.
        folder: the job's, on this machine.
        on_report: is told what the job reports.
        attempts: how often it was begun.
        deaths: how many workers died under it.
        cancelled: it is to stop.
    """

    job: Job
    digest: str
    folder: Path
    on_report: Callable[[Report], None] | None
    attempts: int = 0
    deaths: int = 0
    cancelled: bool = False

    def tell(self, record: dict[str, Any]) -> None:
        """Passes a report on."""
        if self.on_report is not None:
            self.on_report(Report(self.job.key, record))


class Workers(ABC):
    """Does jobs. A context manager: at the end of the block all workers are gone, whatever they were doing.

    Args:
        folder: where the jobs have their folders; made if it is missing.

    Attributes:
        folder: see above.

    Raises:
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = make_folder(folder)
        self._pending: dict[str, Pending] = {}
        self._ready: list[JobResult] = []
        self._shared: set[str] = set()

    @property
    @abstractmethod
    def count(self) -> int:
        """How many jobs are worked on at the same time. On a cluster it changes as machines come and go."""

    @property
    def busy(self) -> bool:
        """Whether a job is under way or a result has not been fetched."""
        return bool(self._pending or self._ready)

    def share(self, name: str, array: npt.NDArray[Any]) -> None:
        """Gives an array to all workers, to be named by jobs; it travels once.

        Args:
            name: what jobs call it. One name stands for one array as long as the workers live.
            array: numbers; a copy is kept where it is needed.

        Raises:
            ConfigError: the name is taken or cannot be a file's, or the array holds Python objects.
            OutputError: there is no room for it.
        """
        check_name(name, "The name of a shared array")
        if name in self._shared:
            raise ConfigError(f"{name!r} is shared already. Give another array another name.")
        if array.dtype.hasobject:
            raise ConfigError(f"{name!r} holds Python objects; only numbers can be shared.")
        self._share(name, array)
        self._shared.add(name)

    def submit(self, job: Job, on_report: Callable[[Report], None] | None = None) -> None:
        """Puts a job in line; `wait` gives its result.

        What was done already, by these arguments and by this version, is not done again: its result is
        found in its folder, even if that was before a kill.

        Args:
            job: what to do.
            on_report: is called, in the thread that calls `wait` and during that call, with what the job
                reports; it may call `cancel`. A job that is begun again reports again what it does again.

        Raises:
            ConfigError: a job of that key is under way, or it names an array that was not shared.
            DataError: a file of the job cannot be read.
            OutputError: the job's folder cannot be written.
        """
        if job.key in self._pending:
            raise ConfigError(f"A job {job.key!r} is under way. Wait for it, or give this one another key.")
        if missing := sorted(set(job.shared) - self._shared):
            raise ConfigError(f"Job {job.key!r} needs {missing[0]!r}, which was not shared.")
        folder = self.folder / job.key
        pending = Pending(job, prepare(folder, job), folder, on_report)
        if (result := found_result(folder, job.key, pending.digest)) is not None:
            self._ready.append(result)
            return
        self._pending[job.key] = pending
        self._begin(pending)

    @abstractmethod
    def wait(self, timeout: float | None = None) -> list[JobResult]:
        """Waits until a job has ended; gives all results that there are by then, each once.

        Args:
            timeout: seconds to wait at most; None: as long as it takes. `InProcess` does a whole job in
                this call, however long that is: look at the clock in `on_report` too.

        Returns:
            The results; an empty list where the time is up or nothing is under way.

        Raises:
            OutputError: a job could not write a file. It stays undone: free some space and submit it again.
            WorkerError: the workers cannot be used.
        """

    def cancel(self, key: str) -> None:
        """Asks a job to end soon. Its result comes as ever, marked as cancelled if it did end early.

        A key that is not under way is passed over: its result may have just arrived.
        """
        if key in self._pending:
            self._pending[key].cancelled = True
            self._cancel(self._pending[key])

    @abstractmethod
    def paused(self) -> AbstractContextManager[None]:
        """Keeps this machine free of our jobs during a block, so that something can be timed in it."""

    def discard(self, key: str) -> None:
        """Removes the folder of a job that has ended; call it when what it gave is kept elsewhere."""
        check_name(key, "A job's key")
        if key not in self._pending:
            shutil.rmtree(self.folder / key, ignore_errors=True)

    @abstractmethod
    def close(self) -> None:
        """Ends all workers at once. Jobs that were under way can be submitted again, to other workers."""

    def __enter__(self) -> Self:
        """Begins the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends all workers."""
        self.close()

    @abstractmethod
    def _share(self, name: str, array: npt.NDArray[Any]) -> None:
        """Makes an array known to the workers."""

    @abstractmethod
    def _begin(self, pending: Pending) -> None:
        """Puts a job in line."""

    @abstractmethod
    def _cancel(self, pending: Pending) -> None:
        """Tells whoever does the job to stop."""

    def _take_ready(self) -> list[JobResult]:
        ready, self._ready = self._ready, []
        return ready

    def _ended(self, pending: Pending, outcome: Outcome, worker: str) -> None:
        """Makes the result of a job that has ended ready for `wait`.

        Raises:
            OutputError: it could not write a file; it then has no result.
        """
        del self._pending[pending.job.key]
        if outcome.unwritten:
            raise OutputError(f"{outcome.error} (job {pending.job.key}, {worker}).")
        out = pending.folder / "out"
        self._ready.append(
            JobResult(
                pending.job.key,
                outcome.record,
                {} if outcome.error else {name: out / name for name in listed_files(out)},
                pending.folder,
                worker,
                outcome.seconds,
                outcome.error,
                outcome.cancelled,
                pending.attempts,
            )
        )

    def _never_began(self, pending: Pending) -> None:
        """Makes the result of a job ready that was cancelled before it began."""
        self._ended(pending, Outcome(cancelled=True), "")

    def _died(self, pending: Pending, how: str, worker: str, again: int = GIVEN_AGAIN) -> bool:
        """Counts a worker's death against the job it had; says whether the job is to be given to another."""
        pending.deaths += 1
        if pending.deaths <= again:
            return True
        error = f"{pending.deaths} workers died at this job; the last one {how}"
        self._ended(pending, Outcome(error=error), worker)
        return False
