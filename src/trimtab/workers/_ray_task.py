"""What runs on a Ray cluster: the task that does one job, and the mailbox between tasks and driver.

Ray sends both as code, not by name: they begin on a machine that may have another version of Trimtab, or
none, and must be able to say so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trimtab._atomic import write_bytes
from trimtab.errors import OutputError
from trimtab.workers._context import Context
from trimtab.workers._cores import thread_variables
from trimtab.workers._job_folder import listed_files
from trimtab.workers._perform import Outcome, perform
from trimtab.workers._printing import print_to

__all__ = ["do", "mailbox_class", "task_function", "version_function"]

_LOOK = 0.25  # seconds between two questions whether to stop


def version_function() -> Any:
    """Gives a function that says where it runs and which version is there, None where there is none."""

    def version() -> tuple[str, str | None]:
        import socket

        try:
            from trimtab._version import __version__
        except ImportError:
            return socket.gethostname(), None
        return socket.gethostname(), __version__

    return version


def task_function() -> Any:
    """Gives the function that does a job, if its machine has the driver's version."""

    def task(request: dict[str, Any], arrays: dict[str, Any], files: dict[str, Any], mailbox: Any) -> Any:
        import socket

        try:
            from trimtab._version import __version__
        except ImportError:
            return {"refused": (socket.gethostname(), None)}
        if __version__ != request["version"]:
            return {"refused": (socket.gethostname(), __version__)}
        from trimtab.workers._ray_task import do

        return do(request, arrays, files, mailbox)

    return task


def mailbox_class() -> Any:
    """Gives the class of the actor that passes on what tasks say, and which of them are to stop."""

    class Mailbox:
        def __init__(self) -> None:
            import asyncio

            self._mail: list[dict[str, Any]] = []
            self._to_stop: set[str] = set()
            self._told = 0
            self._come = asyncio.Event()

        async def tell(self, key: str, item: dict[str, Any]) -> bool:
            self._told += 1
            self._mail.append({"key": key, "number": self._told, **item})
            self._come.set()
            return key in self._to_stop

        async def stop(self, key: str) -> None:
            self._to_stop.add(key)

        async def forget(self, key: str) -> None:
            self._to_stop.discard(key)

        async def stopped(self, key: str) -> bool:
            return key in self._to_stop

        async def take(self) -> list[dict[str, Any]]:
            """Waits until there is something."""
            await self._come.wait()
            self._come.clear()
            mail, self._mail = self._mail, []
            return mail

        async def take_now(self) -> list[dict[str, Any]]:
            """Takes what there is, and lets a `take` that waits return with nothing."""
            self._come.set()
            mail, self._mail = self._mail, []
            return mail

    return Mailbox


def do(
    request: dict[str, Any], arrays: dict[str, Any], files: dict[str, Any], mailbox: Any
) -> dict[str, Any]:
    """Does a job in a temporary folder, and packs up what came of it.

    Args:
        request: ``key``, ``attempt``, ``function``, ``arguments``; ``here`` is a folder that only the
            driver's machine has, and ``pause`` a file in it while nothing is to run there.
        arrays: references to shared arrays, by name.
        files: references to the content of files, by name.
        mailbox: the actor.

    Returns:
        ``outcome``, ``files`` (content by path), ``log``, and ``worker``, which did it.
    """
    import ray

    worker = f"{socket.gethostname()} ({ray.get_runtime_context().get_node_id()[:8]})"
    key, attempt = request["key"], request["attempt"]
    if hasattr(os, "setpgrp") and os.getpgrp() != os.getpid():
        os.setpgrp()  # so that what a job starts is halted with it
    here = Path(request["here"])
    begun = {"is": "begun", "attempt": attempt, "worker": worker}
    told_to_stop = ray.get(mailbox.tell.remote(key, {**begun, "pid": os.getpid() if here.is_dir() else None}))
    if told_to_stop:
        return {
            "outcome": dataclasses.asdict(Outcome(cancelled=True)),
            "files": {},
            "log": b"",
            "worker": worker,
        }
    while (here / "pause").exists():
        time.sleep(0.02)
    if "tensorflow" not in sys.modules:
        os.environ.update(thread_variables(1))

    def report(record: dict[str, Any]) -> None:
        ray.get(mailbox.tell.remote(key, {"is": "report", "attempt": attempt, "record": record}))

    looked, answer = -_LOOK, False

    def asked_to_stop() -> bool:
        nonlocal looked, answer
        if time.monotonic() - looked >= _LOOK:
            answer, looked = ray.get(mailbox.stopped.remote(key)), time.monotonic()
        return answer

    try:
        with tempfile.TemporaryDirectory(prefix="trimtab-job-") as name:
            folder = Path(name)
            paths = {name: folder / "in" / name for name in files}
            for name, reference in files.items():
                write_bytes(paths[name], ray.get(reference))
            shared = {name: ray.get(reference) for name, reference in arrays.items()}
            context = Context(key, folder, shared, paths, report, asked_to_stop)
            with _printing_to(folder):
                outcome = perform(request["function"], request["arguments"], context)
            given = [] if outcome.error else listed_files(context.out)
            return {
                "outcome": dataclasses.asdict(outcome),
                "files": {path: (context.out / path).read_bytes() for path in given},
                "log": (folder / "log.txt").read_bytes(),
                "worker": worker,
            }
    except (OSError, OutputError) as error:
        said = getattr(error, "strerror", None) or str(error)
        outcome = Outcome(error=f"{worker} cannot write its temporary files ({said})", unwritten=True)
        return {"outcome": dataclasses.asdict(outcome), "files": {}, "log": b"", "worker": worker}


@contextlib.contextmanager
def _printing_to(folder: Path) -> Iterator[None]:
    """Lets what is printed go to a job's folder, and later again to where Ray wants it."""
    before = os.dup(1), os.dup(2)
    try:
        print_to(folder)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for place, descriptor in enumerate(before, start=1):
            os.dup2(descriptor, place)
            os.close(descriptor)
