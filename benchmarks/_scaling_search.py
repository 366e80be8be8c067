"""A search as `trimtab tune` does one, with a clock on each part of what its driver does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trimtab.tuning import Choice, Real, Space, Trial, open_study
from trimtab.workers import Job, JobResult, Workers

__all__ = ["Clocks", "asking", "search"]

SPACE = Space(
    {
        "dropout": Real(0.0, 0.5),
        "rate": Real(1e-4, 1e-2, log=True),
        "width": Real(0.25, 1.0),
        "optimizer": Choice(("adam", "sgd")),
    }
)
"""Four dimensions, as many as a small search has."""


@dataclass
class Clocks:
    """Seconds that a search took.

    Args:
        wall: from the first proposal to the last result.
        ask: of each proposal.
        submit: of handing each job over.
        tell: of writing each result into the study.
        work: of each job's function, as its worker saw it.
    """

    wall: float = 0.0
    ask: list[float] = field(default_factory=list)
    submit: list[float] = field(default_factory=list)
    tell: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)


def search(
    workers: Workers,
    folder: Path,
    function: str,
    arguments: Mapping[str, Any],
    *,
    jobs: int,
    at_once: int,
    shared: tuple[str, ...] = (),
) -> Clocks:
    """Tries so many settings out, so many at once.

    Args:
        workers: who does it.
        folder: where the study is; nothing is in it yet.
        function: of `_scaling_jobs`.
        arguments: for each job; ``values`` is added.
        jobs: how many settings.
        at_once: how many are under way at a time.
        shared: names of shared arrays.
    """
    clocks, study = Clocks(), open_study(folder, SPACE)
    asked: dict[str, Trial] = {}
    began = time.perf_counter()
    while len(clocks.tell) < jobs:
        while len(asked) - len(clocks.tell) < at_once and len(asked) < jobs:
            start = time.perf_counter()
            trial = study.ask()
            if trial is None:
                raise SystemExit("The study has nothing to propose.")
            between = time.perf_counter()
            key = f"{folder.name}-{trial.key}"
            asked[key] = trial
            given = {**arguments, "values": trial.values}
            workers.submit(Job(key, f"_scaling_jobs:{function}", given, shared))
            clocks.ask.append(between - start)
            clocks.submit.append(time.perf_counter() - between)
        for result in workers.wait():
            start = time.perf_counter()
            asked[result.key].finish(_accuracy(result))
            clocks.tell.append(time.perf_counter() - start)
            clocks.work.append(result.seconds)
            workers.discard(result.key)
    clocks.wall = time.perf_counter() - began
    return clocks


def asking(folder: Path, trials: int) -> Clocks:
    """Times a study alone, with so many trials that are finished as soon as they are proposed."""
    clocks, study = Clocks(), open_study(folder, SPACE)
    for number in range(trials):
        start = time.perf_counter()
        trial = study.ask()
        between = time.perf_counter()
        if trial is None:
            raise SystemExit("The study has nothing to propose.")
        trial.finish((number % 17) / 17)
        clocks.ask.append(between - start)
        clocks.tell.append(time.perf_counter() - between)
    return clocks


def _accuracy(result: JobResult) -> float:
    if result.error is not None:
        raise SystemExit(f"{result.key} failed: {result.error}")
    return float(result.record["accuracy"])
