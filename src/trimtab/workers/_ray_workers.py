"""Jobs as tasks of a Ray cluster that runs already."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from trimtab._atomic import write_bytes, write_text
from trimtab._temporary import temporary_folder
from trimtab._version import __version__
from trimtab.errors import OutputError, WorkerError, first_line
from trimtab.workers._job import JobResult
from trimtab.workers._job_folder import keep_result
from trimtab.workers._perform import Outcome
from trimtab.workers._process import CAN_HALT
from trimtab.workers._ray_address import connect, import_ray
from trimtab.workers._ray_task import mailbox_class, task_function, version_function
from trimtab.workers._workers import GIVEN_AGAIN_IN_CLUSTER, Pending, Workers

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["RayWorkers"]

_TURN = 1.0  # seconds between two looks at the clock
_PROBE = 60.0  # seconds for the machines to say which version they have


class RayWorkers(Workers):
    """Does jobs on a Ray cluster, one for each of its CPUs.

    Arrays and files go through Ray's object store: once into it, and once to each machine that needs them. A
    job whose worker or machine is lost is given to another, five times at most. What jobs give comes back to
    their folders here.

    Args:
        address: of the cluster; see `open_workers`.
        folder: where the jobs have their folders on this machine.

    Raises:
        ConfigError: the address is none.
        MissingExtraError: Ray is not installed.
        WorkerError: the cluster does not answer, or a machine has another version of Trimtab.
        OutputError: a folder cannot be made.
    """

    def __init__(self, address: str, folder: Path) -> None:
        super().__init__(folder)
        self._ray = import_ray()
        self._own = connect(address)
        self._tasks: dict[Any, Pending] = {}
        self._line: deque[Pending] = deque()
        self._arrays: dict[str, Any] = {}
        self._files: dict[tuple[str, int, int], Any] = {}
        self._local: dict[str, int] = {}
        """Processes on this machine that do a job, by its key."""
        self._where: dict[str, str] = {}
        self._halted = self._closed = False
        self._stack = contextlib.ExitStack()
        try:
            self._here = self._stack.enter_context(temporary_folder())
            self._task = self._ray.remote(task_function())
            self._mailbox = self._open_mailbox()
            self._mail = self._mailbox.take.remote()
            self._check_versions()
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """As many jobs as the cluster has CPUs now."""
        return max(int(self._ray.cluster_resources().get("CPU", 0)), 1)

    def wait(self, timeout: float | None = None) -> list[JobResult]:
        """Waits for the next result, and hands on what jobs report meanwhile."""
        end = None if timeout is None else time.monotonic() + timeout
        self._start()
        while self._tasks and not self._ready:
            left = _TURN if end is None else min(_TURN, end - time.monotonic())
            self._turn(max(left, 0))
            if end is not None and time.monotonic() >= end:
                break
        return self._take_ready()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Halts the jobs that run on this machine, if it belongs to the cluster; the others go on.

        Raises:
            WorkerError: a job here cannot be halted.
        """
        pause = self._here / "pause"
        pause.touch()  # no job begins here from now on; those that did have told us
        self._halted = True
        halted: list[int] = []
        try:
            self._read_mail()
            for pid in self._local.values():
                _signal(pid, "SIGSTOP")
                halted.append(pid)
            yield
        finally:
            self._halted = False
            pause.unlink(missing_ok=True)
            for pid in halted:
                _signal(pid, "SIGCONT")
            self._start()

    def close(self) -> None:
        """Ends the tasks, and the connection if it is ours; the cluster goes on."""
        if self._closed:
            return
        self._closed = True
        if self._ray.is_initialized():
            for reference in self._tasks:
                self._ray.cancel(reference, force=True)
            if hasattr(self, "_mailbox"):
                self._ray.kill(self._mailbox)
            if self._own:
                self._ray.shutdown()
        for kept in (self._tasks, self._line, self._arrays, self._files, self._pending):
            kept.clear()
        self._stack.close()

    def _share(self, name: str, array: npt.NDArray[Any]) -> None:
        self._arrays[name] = self._put(array, name)

    def _begin(self, pending: Pending) -> None:
        self._line.append(pending)
        self._start()

    def _start(self) -> None:
        """Gives Ray as many jobs as there are CPUs, and keeps the others.

        A task that waits for an answer lends its CPU to one in Ray's own line: then more would run than CPUs.
        """
        if self._halted or not self._line:
            return
        for _ in range(min(self.count - len(self._tasks), len(self._line))):
            self._give(self._line.popleft())

    def _give(self, pending: Pending) -> None:
        job = pending.job
        pending.attempts += 1
        request = {
            "version": __version__,
            "key": job.key,
            "attempt": pending.attempts,
            "function": job.function,
            "arguments": job.arguments,
            "here": str(self._here),
        }
        arrays = {name: self._arrays[name] for name in job.shared}
        files = {name: self._file(Path(path)) for name, path in job.files.items()}
        task = self._task.options(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")
        self._tasks[task.remote(request, arrays, files, self._mailbox)] = pending

    def _cancel(self, pending: Pending) -> None:
        if pending in self._line:
            self._line.remove(pending)
            self._never_began(pending)
        else:
            self._ray.get(self._mailbox.stop.remote(pending.job.key))

    def _turn(self, seconds: float) -> None:
        """Waits for one thing to come, and acts on it."""
        came, _ = self._ray.wait([*self._tasks, self._mail], num_returns=1, timeout=seconds)
        for reference in came:
            if reference in self._tasks:
                # What the job told before it ended is heard before its end.
                self._read_mail()
                pending = self._tasks.pop(reference)
                self._start()
                self._fetch(reference, pending)
            else:
                self._read_mail()

    def _read_mail(self) -> None:
        """Acts on everything that tasks have told by now."""
        # The one that waits may have left with other things, just before the last ones came.
        now, waited = self._ray.get([self._mailbox.take_now.remote(), self._mail])
        self._mail = self._mailbox.take.remote()
        for item in sorted([*now, *waited], key=lambda item: int(item["number"])):
            pending = self._pending.get(item["key"])
            if pending is None or pending.attempts != item["attempt"]:
                continue  # of an attempt that is lost
            if item["is"] == "report":
                pending.tell(item["record"])
                continue
            self._where[item["key"]] = item["worker"]
            if item["pid"] is not None:
                self._local[item["key"]] = item["pid"]

    def _fetch(self, reference: Any, pending: Pending) -> None:
        """Takes what a task gave, or gives its job to another if it is lost."""
        key = pending.job.key
        self._local.pop(key, None)
        worker = self._where.pop(key, "a machine of the cluster")
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise WorkerError(f"Jobs cannot be done on the cluster: {first_line(error.cause)}.") from None
        except self._ray.exceptions.RayError as error:
            how = f"was lost ({type(error).__name__})"
            if self._died(pending, how, worker, GIVEN_AGAIN_IN_CLUSTER):
                self._line.appendleft(pending)
            self._start()
            return
        if "refused" in answer:
            raise WorkerError(_refusal(*answer["refused"]))
        if pending.cancelled:
            self._mailbox.forget.remote(key)
        outcome = Outcome(**answer["outcome"])
        try:
            self._unpack(pending, outcome, answer)
        except OutputError:
            del self._pending[key]
            raise
        self._ended(pending, outcome, answer["worker"])

    def _unpack(self, pending: Pending, outcome: Outcome, answer: dict[str, Any]) -> None:
        """Writes what came back to the job's folder."""
        out = pending.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        for name, content in answer["files"].items():
            if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
                raise WorkerError(f"{answer['worker']} gave a file outside its folder: {name!r}.")
            write_bytes(out / name, content)
        write_bytes(pending.folder / "log.txt", answer["log"])
        if outcome.traceback:
            write_text(pending.folder / "error.txt", outcome.traceback)
        keep_result(pending.folder, pending.digest, outcome, answer["worker"])

    def _file(self, path: Path) -> Any:
        """Puts a file into the object store, once as long as it stays as it is."""
        state = path.stat()
        known = (str(path.resolve()), state.st_mtime_ns, state.st_size)
        if known not in self._files:
            self._files[known] = self._put(path.read_bytes(), path.name)
        return self._files[known]

    def _put(self, what: Any, name: str) -> Any:
        try:
            return self._ray.put(what)
        except self._ray.exceptions.RayError as error:
            raise WorkerError(
                f"{name!r} does not fit into the cluster's object store ({first_line(error)}). "
                "Start Ray with a larger --object-store-memory."
            ) from None

    def _open_mailbox(self) -> Any:
        """Starts the mailbox beside this process: it must not be on a machine that may leave."""
        return (
            self._ray.remote(mailbox_class())
            .options(
                num_cpus=0, scheduling_strategy=self._only_on(self._ray.get_runtime_context().get_node_id())
            )
            .remote()
        )

    def _check_versions(self) -> None:
        """Sees to it that all machines have this version, before anything is begun."""
        probe = self._ray.remote(version_function())
        probes = [
            probe.options(
                num_cpus=0, max_retries=0, scheduling_strategy=self._only_on(node["NodeID"])
            ).remote()
            for node in self._ray.nodes()
            if node["Alive"]
        ]
        known, _ = self._ray.wait(probes, num_returns=len(probes), timeout=_PROBE)
        for answer in known:
            try:
                host, version = self._ray.get(answer)
            except self._ray.exceptions.RayError:
                continue  # it has left; and whichever comes later is asked with its first job
            if version != __version__:
                raise WorkerError(_refusal(host, version))

    def _only_on(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node, soft=False)


def _refusal(host: str, version: str | None) -> str:
    has = "has no Trimtab" if version is None else f"has Trimtab {version}"
    return (
        f"The worker on {host} {has}, and this is {__version__}. "
        f"Install the same on every machine: pip install 'trimtab[ray]=={__version__}'"
    )


def _signal(pid: int, name: str) -> None:
    """Halts a process group of this machine, or lets it go on."""
    if not CAN_HALT:
        raise WorkerError(
            "This system cannot halt the jobs that run here. Keep this machine out of the cluster."
        )
    try:
        os.killpg(pid, getattr(signal, name))
    except ProcessLookupError:
        return  # it has just ended
    except PermissionError:
        raise WorkerError(
            f"Process {pid} of the cluster belongs to somebody else and cannot be halted. "
            "Start Ray on this machine as the same user, or keep this machine out of the cluster."
        ) from None
