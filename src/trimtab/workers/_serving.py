"""The inside of a worker process: takes jobs, does them one by one, and ends when the driver has.

From the driver: ``{"do": "job", ...}`` and ``{"do": "stop", "key": ...}``. To it: ``{"is": "ready"}``,
``{"is": "report", ...}`` and ``{"is": "done", ...}``.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from trimtab.errors import OutputError, first_line
from trimtab.workers._context import Context
from trimtab.workers._job_folder import keep_result
from trimtab.workers._perform import Outcome, perform
from trimtab.workers._printing import print_to

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["serve"]


def serve(requests: TextIO, answers: TextIO, name: str) -> None:
    """Does jobs until the driver ends; never returns.

    Args:
        requests: lines from the driver. They end when it does, however it ends.
        answers: lines to it.
        name: what the results call this worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's; it ends us
    served = _Served(answers, name)
    threading.Thread(target=served.listen, args=(requests,), daemon=True).start()
    served.answer({"is": "ready"})
    while True:
        served.work(served.line.get())


class _Served:
    """A driver that is being served: jobs in line, and keys that are to stop."""

    def __init__(self, answers: TextIO, name: str) -> None:
        self.line: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._answers, self._name = answers, name
        self._speaking = threading.Lock()
        self._to_stop: set[str] = set()

    def listen(self, requests: TextIO) -> None:
        """Reads what the driver says until it is gone; then this process goes too, in the middle of a job."""
        try:
            for text in requests:
                request = json.loads(text)
                if request["do"] == "stop":
                    self._to_stop.add(request["key"])
                else:
                    self.line.put(request)
        finally:
            _end()

    def answer(self, record: Mapping[str, Any]) -> None:
        """Says something to the driver."""
        with self._speaking:
            try:
                self._answers.write(json.dumps(record) + "\n")
                self._answers.flush()
            except OSError:
                _end()

    def work(self, request: dict[str, Any]) -> None:
        """Does one job and says how it ended."""
        key, folder = request["key"], Path(request["folder"])
        try:
            print_to(folder)
            outcome = self._perform(request, folder)
            sys.stdout.flush()
            sys.stderr.flush()
            keep_result(folder, request["digest"], outcome, self._name)
        except (OSError, OutputError) as error:  # it is done, and cannot be written down
            full = isinstance(error, OSError) and error.errno == errno.ENOSPC
            said = f"The disk is full: {folder} was not written. Free some space and run again"
            outcome = Outcome(error=said if full else first_line(error), unwritten=True)
        self._to_stop.discard(key)
        self.answer({"is": "done", "key": key, "outcome": dataclasses.asdict(outcome)})

    def _perform(self, request: dict[str, Any], folder: Path) -> Outcome:
        key = request["key"]
        context = Context(
            key,
            folder,
            {name: _mapped(path) for name, path in request["shared"].items()},
            {name: Path(path) for name, path in request["files"].items()},
            lambda record: self.answer({"is": "report", "key": key, "record": record}),
            lambda: key in self._to_stop,
        )
        return perform(request["function"], request["arguments"], context)


def _mapped(path: str) -> npt.NDArray[Any]:
    """Opens an array without reading it: all workers see the same pages of memory."""
    import numpy as np

    array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def _end() -> None:
    """Ends this process at once, and with it all that jobs have started."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
