"""What a worker process runs: ``python -P _program.py``, started and talked to by `WorkerProcess`.

Lines of JSON both ways. The first one says where modules are found, so nothing of ours is imported before it.
Standard output is for answers only, and standard error for what stops this program itself; what jobs print
goes to their folders.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


def main() -> None:
    """Takes over the standard streams, then serves until the driver ends."""
    _wake_when_the_driver_ends()
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    first = json.loads(requests.readline())
    sys.path[:] = first["path"]
    if first["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, first["cores"])
    from trimtab.workers._serving import serve

    serve(requests, answers, first["name"])


def _wake_when_the_driver_ends() -> None:
    """Lets a halted process go on once its driver is gone, so that it hears of it and ends.

    POSIX wakes a group that nobody is left to look after; but in a container the first process, often the
    shell that started the driver, inherits its children and counts as looking after them.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)


if __name__ == "__main__":
    main()
