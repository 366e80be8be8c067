"""One worker process, seen from the driver: start it, talk to it, halt it, end it and all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from trimtab.errors import WorkerError
from trimtab.workers._cores import thread_variables

__all__ = ["CAN_HALT", "Message", "WorkerProcess"]

CAN_HALT = hasattr(os, "killpg") and hasattr(signal, "SIGSTOP")
"""Whether this system lets us halt a process and let it go on."""

_PROGRAM = Path(__file__).with_name("_program.py")
_PATIENCE = 20.0  # seconds for a process that was killed to be gone


class WorkerProcess:
    """A child process that does jobs, in a process group of its own.

    The group lets us halt and end what a job has started too. It also means that Ctrl-C at a terminal reaches
    the driver alone. A child that is halted while the driver is killed is woken by the system (by POSIX,
    where nobody is left to look after its group; on Linux always), hears that the driver is gone, and ends.

    Args:
        name: what results call it.
        cores: the cores that it may use.
        scratch: folder for its temporary files.
        messages: where its answers go, each with the worker; None says that it has ended.

    Raises:
        WorkerError: the system starts no process.
    """

    def __init__(
        self, name: str, cores: list[int], scratch: Path, messages: queue.SimpleQueue[Message]
    ) -> None:
        self.name, self.cores = name, cores
        self.key: str | None = None
        """The job that it has."""
        self.ready = False
        """Whether it has said that it works."""
        self.last_words = ""
        """The last line that it said before its first job; known once it has ended."""
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        environment = {**os.environ, **thread_variables(len(cores)), "TMPDIR": str(scratch)}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                encoding="utf-8",
                env=environment,
                process_group=0 if hasattr(os, "killpg") else None,
            )
        except OSError as error:
            self._said.close()
            raise WorkerError(
                f"A worker process cannot be started ({error.strerror}). Use fewer with --jobs."
            ) from error
        self._requests = cast("TextIO", self._process.stdin)
        self._answers = cast("TextIO", self._process.stdout)
        self._listener = threading.Thread(target=self._listen, args=(messages,), daemon=True)
        self._listener.start()
        self.send({"path": [entry for entry in sys.path if entry], "cores": cores, "name": name})

    def send(self, request: Mapping[str, Any]) -> None:
        """Says something to it. If it has ended, that is told by its last message."""
        with contextlib.suppress(OSError):
            self._requests.write(json.dumps(request) + "\n")
            self._requests.flush()

    def halt(self) -> None:
        """Stops it in its tracks, with all that it started."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Lets it go on."""
        self._signal(signal.SIGCONT)

    def end(self) -> str:
        """Ends it at once with all that it started, if it has not ended; says how it ended."""
        self._signal(signal.SIGKILL) if hasattr(signal, "SIGKILL") else self._process.kill()
        with contextlib.suppress(OSError):
            self._requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_PATIENCE)
        self._listener.join(timeout=_PATIENCE)
        self._answers.close()
        self._note_last_words()
        code = self._process.returncode
        if code is not None and code < 0:
            number = -code
            why = ", perhaps for lack of memory" if number == getattr(signal, "SIGKILL", 0) else ""
            return f"was ended by signal {number}{why}"
        return f"ended with code {code}"

    def _note_last_words(self) -> None:
        """Keeps the last line of what it said before its first job."""
        if not self._said.closed:
            with self._said as said:
                said.seek(0)
                lines = said.read().strip().splitlines()
            self.last_words = lines[-1].strip() if lines else "nothing"

    def _signal(self, number: int) -> None:
        """Sends a signal to its whole group: until `end` has waited, the number is nobody else's."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _listen(self, messages: queue.SimpleQueue[Message]) -> None:
        with contextlib.suppress(OSError, ValueError):  # cut off in the middle of a line
            for text in self._answers:
                messages.put((self, json.loads(text)))
        messages.put((self, None))


Message = tuple[WorkerProcess, dict[str, Any] | None]
