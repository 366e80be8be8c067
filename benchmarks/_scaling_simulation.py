"""How long a search takes with many workers: a discrete-event simulation of one driver and its workers."""

from __future__ import annotations

import heapq
from collections.abc import Callable

__all__ = ["makespan"]


def makespan(
    workers: int,
    jobs: int,
    work: Callable[[int], float],
    before: Callable[[int], float],
    after: Callable[[int], float],
    away: float,
) -> float:
    """Gives the seconds from the first proposal to the last result.

    The driver does one thing at a time: it proposes and submits a job, or it takes a result in. While it is
    busy, workers that have ended wait. It takes results in the order in which they come, and after each one
    gives its worker the next job.

    Args:
        workers: how many jobs are done at the same time.
        jobs: how many there are.
        work: seconds of each job's function, by its number from 0.
        before: seconds that the driver needs before each job begins, by the job's number.
        after: seconds that it needs for each result, by how many it had before.
        away: seconds between driver and function, there and back: they keep the worker, not the driver.
    """
    clock, begun = 0.0, 0
    ends: list[float] = []

    def begin() -> None:
        nonlocal clock, begun
        clock += before(begun)
        heapq.heappush(ends, clock + away + work(begun))
        begun += 1

    while begun < min(workers, jobs):
        begin()
    for done in range(jobs):
        clock = max(clock, heapq.heappop(ends)) + after(done)
        if begun < jobs:
            begin()
    return clock
