"""A program of its own: prints how much memory one LiteRT interpreter of a file takes, as JSON.

Run as ``python -P _memory_probe.py FILE THREADS`` in a fresh process, so that nothing but the runtime is in
memory. The first interpreter brings the runtime's code into memory; the growth while a second one is
loaded and used is what the file itself needs: its mapped weights, their packed copies, the activations.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import sys
from pathlib import Path
from typing import Any

_INVOKES = 5


def measure(path: str, threads: int) -> dict[str, int]:
    """Returns the bytes that the first and the second interpreter of a file added to the process."""
    from ai_edge_litert.interpreter import Interpreter

    kept: list[Any] = []  # the first must stay: what it freed would serve the second
    growth: list[int] = []
    for _ in range(2):
        before = _forget_peak()
        interpreter = Interpreter(model_path=path, num_threads=threads)
        interpreter.allocate_tensors()
        for _ in range(_INVOKES):
            interpreter.invoke()
        kept.append(interpreter)
        growth.append(max(_peak() - before, 0))
    return {"first": growth[0], "second": growth[1]}


def _forget_peak() -> int:
    """Begins a new measurement; returns the bytes in memory from which growth counts."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        # Memory that was freed but kept by the allocator would hide what the interpreter takes (glibc only).
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status("VmRSS")
    except OSError:
        return _peak()  # the peak cannot be forgotten: growth beyond it is the best there is


def _peak() -> int:
    """Returns the largest number of bytes this process has had in memory."""
    try:
        return _status("VmHWM")
    except OSError:
        import resource

        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest * 1024


def _status(key: str) -> int:
    """Reads one size from Linux' status of this process, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"the system does not tell {key}")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
