"""Worker processes: each holds nets of one environment and trains them, step by step, when asked.

Where something is timed only one works at a time: sides in different environments can be interleaved.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, cast

__all__ = ["Worker", "WorkerError"]

_PROGRAM = Path(__file__).with_name("_worker.py")


class WorkerError(RuntimeError):
    """A worker could not do what it was asked, or ended."""


class Worker:
    """A process that trains nets when asked; a context manager that ends it.

    Args:
        python: interpreter of its environment; by default this process' own.
        cores: how many cores it may use.
        backend: of Keras 3.
        first_core: the first that it may use; workers that work at the same time each need their own.
    """

    def __init__(
        self,
        python: Path | None = None,
        *,
        cores: int = 1,
        backend: str = "tensorflow",
        first_core: int = 0,
    ) -> None:
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "TF_USE_LEGACY_KERAS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [
                *(str(python or sys.executable), str(_PROGRAM)),
                *("--cores", str(cores), "--first-core", str(first_core)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=environment,
        )
        self._requests = cast("TextIO", self._process.stdin)
        self._answers = cast("TextIO", self._process.stdout)

    def build(self, name: str, side: str, net: str, **spec: Any) -> None:
        """Makes something to train.

        Args:
            name: what `run` will call it.
            side: a key of `_worker.SIDES`, such as ``"keras"``.
            net: a key of `_nets.NETS`; for the sides that only choose masks, of `_mask_update.KERNELS`.
            **spec: ``batch`` (images in a step), ``scale`` (factor on the channels), and what the side
                needs besides: ``frequency`` (steps between two updates of masks), ``steps``,
                ``granularity`` and ``ranking``.
        """
        self._ask({"do": "build", "name": name, "side": side, "net": net, **spec})

    def side(self, name: str, steps: int) -> Callable[[], float]:
        """Gives what trains `name` for so many steps when called, and returns the seconds they took."""
        return lambda: float(self._ask({"do": "run", "name": name, "steps": steps})["seconds"])

    def point(self, **request: Any) -> Path:
        """Trains a point of a long benchmark; gives the file that holds its result."""
        return Path(self._ask({"do": "point", **request})["path"])

    def versions(self) -> dict[str, str]:
        """Lists what is installed in its environment, of what numbers depend on."""
        return dict(self._ask({"do": "versions"})["versions"])

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(OSError):  # it may have ended by itself
            self._requests.write('{"do": "close"}\n')
            self._requests.flush()
        with contextlib.suppress(OSError):
            self._requests.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Sends one request and waits for its answer."""
        line = ""
        with contextlib.suppress(OSError):  # it has ended; what it said last explains why
            self._requests.write(json.dumps(request) + "\n")
            self._requests.flush()
            line = self._answers.readline()
        if not line:
            raise WorkerError(f"The worker ended while it was asked {request}. It said: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"The worker was asked {request}, and failed: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        self._said.seek(0)
        return " | ".join(self._said.read().strip().splitlines()[-5:]) or "nothing"
