"""Jobs on processes of this machine, each with its share of the cores."""

from __future__ import annotations

import contextlib
import queue
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._atomic import atomic_path
from trimtab.errors import OutputError, WorkerError
from trimtab.workers._cores import shares
from trimtab.workers._job import JobResult
from trimtab.workers._perform import Outcome
from trimtab.workers._process import CAN_HALT, Message, WorkerProcess
from trimtab.workers._workers import Pending, Workers

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Processes"]

_STARTS = 3  # how many processes in a row may end before their first job
_TURN = 1.0  # seconds; some systems notice Ctrl-C only between two waits


class Processes(Workers):
    """Does jobs on child processes, which are started when there is work for them.

    A process that dies gives its job to a new one, twice at most. They all end with this process, however it
    ends.

    Args:
        jobs: how many processes.
        folder: where the jobs have their folders.

    Raises:
        OutputError: a folder cannot be made.
    """

    def __init__(self, jobs: int, folder: Path) -> None:
        super().__init__(folder)
        self._cores = shares(jobs)
        self._line: deque[Pending] = deque()
        self._workers: dict[int, WorkerProcess] = {}
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._arrays = self.folder / ".shared"
        shutil.rmtree(self._arrays, ignore_errors=True)  # of a driver that was killed
        try:
            self._scratch = Path(tempfile.mkdtemp(prefix="trimtab-workers-"))
        except OSError as error:
            raise OutputError(
                f"Temporary files cannot be written ({error.strerror}). Free some space, or set TMPDIR."
            ) from error
        self._halted = False
        self._failed_starts = 0

    @property
    def count(self) -> int:
        """As many jobs as processes were asked for."""
        return len(self._cores)

    def wait(self, timeout: float | None = None) -> list[JobResult]:
        """Waits for the next result, and hands on what jobs report meanwhile."""
        end = None if timeout is None else time.monotonic() + timeout
        self._start()
        while self._pending and not self._ready:
            left = _TURN if end is None else min(_TURN, end - time.monotonic())
            try:
                message = self._messages.get(timeout=max(left, 0))
            except queue.Empty:
                if end is not None and time.monotonic() >= end:
                    break
                continue
            self._hear(*message)
        while not self._messages.empty():
            self._hear(*self._messages.get())
        return self._take_ready()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Halts the processes during a block; where the system cannot, waits until their jobs have ended."""
        self._halted = True
        try:
            if CAN_HALT:
                for worker in self._workers.values():
                    worker.halt()
            else:
                while any(worker.key for worker in self._workers.values()):
                    self._hear(*self._messages.get())
            yield
        finally:
            self._halted = False
            if CAN_HALT:
                for worker in self._workers.values():
                    worker.go_on()
            self._start()

    def close(self) -> None:
        """Ends the processes, and removes what was shared with them."""
        while self._workers:
            self._workers.popitem()[1].end()
        self._line.clear()
        self._pending.clear()
        shutil.rmtree(self._arrays, ignore_errors=True)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _share(self, name: str, array: npt.NDArray[Any]) -> None:
        import numpy as np

        with atomic_path(self._arrays / f"{name}.npy") as partial:
            np.save(partial, array, allow_pickle=False)

    def _begin(self, pending: Pending) -> None:
        self._line.append(pending)
        self._start()

    def _cancel(self, pending: Pending) -> None:
        if pending in self._line:
            self._line.remove(pending)
            self._never_began(pending)
        for worker in self._workers.values():
            if worker.key == pending.job.key:
                worker.send({"do": "stop", "key": pending.job.key})

    def _start(self) -> None:
        """Gives jobs to processes that have none, and starts those that are missing."""
        if self._halted:
            return
        for place, cores in enumerate(self._cores):
            if not self._line:
                return
            if place not in self._workers:
                self._workers[place] = WorkerProcess(
                    f"process {place + 1}", cores, self._scratch, self._messages
                )
            if self._workers[place].key is None:
                self._give(self._workers[place], self._line.popleft())

    def _give(self, worker: WorkerProcess, pending: Pending) -> None:
        job = pending.job
        pending.attempts += 1
        worker.key = job.key
        worker.send(
            {
                "do": "job",
                "key": job.key,
                "function": job.function,
                "arguments": job.arguments,
                "shared": {name: str((self._arrays / f"{name}.npy").resolve()) for name in job.shared},
                "files": {name: str(Path(path).resolve()) for name, path in job.files.items()},
                "folder": str(pending.folder.resolve()),
                "digest": pending.digest,
            }
        )

    def _hear(self, worker: WorkerProcess, message: dict[str, Any] | None) -> None:
        """Acts on what a process says, or on its end."""
        if message is None:
            self._bury(worker)
        elif message["is"] == "ready":
            worker.ready, self._failed_starts = True, 0
        elif message["is"] == "report":
            self._pending[message["key"]].tell(message["record"])
        else:
            worker.key = None
            self._start()
            self._ended(self._pending[message["key"]], Outcome(**message["outcome"]), worker.name)

    def _bury(self, worker: WorkerProcess) -> None:
        """Removes a process that has ended, and gives its job to another."""
        place = next((place for place, other in self._workers.items() if other is worker), None)
        if place is None:
            return  # ended by `close`
        del self._workers[place]
        how = worker.end()
        pending = self._pending.get(worker.key or "")
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                raise WorkerError(
                    f"Worker processes end before their first job ({how}). The last one said: "
                    f"{worker.last_words}"
                )
        if pending is not None and self._died(pending, how, worker.name):
            self._line.appendleft(pending)
        self._start()
