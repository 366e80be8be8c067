"""Which cores each worker process gets, and how many threads its libraries may start."""

from __future__ import annotations

import itertools
import os

__all__ = ["shares", "thread_variables"]

_THREADS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


def shares(workers: int) -> list[list[int]]:
    """Divides the cores that this process may use among so many workers.

    With more workers than cores, several share one. Where the system does not say which cores there are,
    their numbers are made up, and only how many they are counts.

    Returns:
        For each worker, the numbers of its cores.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _counted()
    if workers >= len(cores):
        return [[cores[number % len(cores)]] for number in range(workers)]
    bounds = [len(cores) * number // workers for number in range(workers + 1)]
    return [cores[begin:end] for begin, end in itertools.pairwise(bounds)]


def thread_variables(cores: int) -> dict[str, str]:
    """Gives the environment variables that keep TensorFlow and the numeric libraries to so many threads.

    They are read when a library is imported, so they must be set before.
    """
    return dict.fromkeys(_THREADS, str(cores))


def _counted() -> list[int]:
    return list(range(os.cpu_count() or 1))
