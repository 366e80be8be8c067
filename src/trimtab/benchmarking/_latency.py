"""Times several subjects fairly: warmed up, interleaved in one process, in rounds that pair up."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab.progress import Task

__all__ = ["Call", "Clock", "Timing", "time_interleaved"]

Call = Callable[[], object]
Clock = Callable[[], int]

_TURN_NS = 15_000_000  # long enough that one interruption does not move its median, short enough to pair up
_BLOCK_NS = 5_000_000
_LEAST_ROUNDS = 5
_MOST_CALLS = 20_000
_STEADY = 0.05  # warm-up ends when its last three blocks lie within five percent


@dataclass(frozen=True, eq=False)
class Timing:
    """How long the calls of one subject took.

    Args:
        rounds: (rounds,) milliseconds a call, the median of each round; pairs up with other subjects.
        p90: milliseconds that nine calls in ten do not exceed.
        calls: how many calls were timed.
        settled: whether the warm-up ended because the times were steady, and not because it took too long.
    """

    rounds: npt.NDArray[np.float64]
    p90: float
    calls: int
    settled: bool


def time_interleaved(
    calls: Mapping[str, Call],
    *,
    rounds: int = 100,
    seconds: float = 2.0,
    seed: int = 0,
    clock: Clock = time.perf_counter_ns,
    task: Task | None = None,
) -> dict[str, Timing]:
    """Times calls against each other, so that what disturbs one disturbs all.

    Each is called until its time is steady. Then come rounds: in each, every subject has one turn of about 15
    ms, in an order shuffled anew, and each call of a turn is timed by itself. A turn begins with a call that
    does not count, since the subject before it left its own data in the caches. The garbage collector is off.

    Args:
        calls: by name, what to time.
        rounds: at most so many rounds; at least five are made.
        seconds: at most about so many seconds a subject.
        seed: of the order within the rounds.
        clock: gives nanoseconds.
        task: told of each round.

    Returns:
        A timing for each name, all with the same number of rounds.
    """
    budget = seconds * 1e9
    with _no_garbage_collection():
        warm = {name: _warm_up(call, clock, min(budget / 4, 0.5e9)) for name, call in calls.items()}
        counts = {
            name: int(min(max(_TURN_NS // nanoseconds, 1), _MOST_CALLS))
            for name, (nanoseconds, _) in warm.items()
        }
        turns: dict[str, list[npt.NDArray[np.int64]]] = {name: [] for name in calls}
        names, order = list(calls), np.random.default_rng(seed)
        begun = clock()
        for done in range(max(rounds, _LEAST_ROUNDS)):
            if done >= _LEAST_ROUNDS and clock() - begun > budget * len(calls):
                break
            for index in order.permutation(len(names)):
                name = names[index]
                calls[name]()
                turns[name].append(_timed(calls[name], counts[name], clock))
            if task is not None:
                task.advance()
    return {name: _summarised(turns[name], settled=warm[name][1]) for name in names}


def _timed(call: Call, count: int, clock: Clock) -> npt.NDArray[np.int64]:
    """Times each of `count` calls in nanoseconds."""
    times = [0] * count
    for index in range(count):
        begun = clock()
        call()
        times[index] = clock() - begun
    return np.asarray(times, np.int64)


def _warm_up(call: Call, clock: Clock, limit: float) -> tuple[float, bool]:
    """Calls until the time is steady or the limit (nanoseconds) is over; gives the last time and which."""
    call()  # the first call compiles and allocates: it says nothing about the others
    begun, count = clock(), 1
    medians: list[float] = []
    while True:
        medians.append(max(float(np.median(_timed(call, count, clock))), 1.0))
        count = int(min(max(_BLOCK_NS / medians[-1], 1), 1000))
        last = medians[-3:]
        if len(medians) > 3 and max(last) - min(last) <= _STEADY * min(last):
            return medians[-1], True
        if clock() - begun > limit:
            return medians[-1], False


def _summarised(turns: list[npt.NDArray[np.int64]], settled: bool) -> Timing:
    """Reduces the nanoseconds of all turns of a subject to what is reported."""
    every = np.concatenate(turns)
    return Timing(
        rounds=np.asarray([max(float(np.median(turn)), 1.0) / 1e6 for turn in turns]),
        p90=float(np.quantile(every, 0.9)) / 1e6,
        calls=int(every.size),
        settled=settled,
    )


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keeps the garbage collector from running inside a timed call; it is as before afterwards."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
