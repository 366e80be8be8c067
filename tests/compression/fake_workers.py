"""Workers that train nothing: jobs take invented seconds on an invented clock, and give invented numbers.

An invented network of width w has a file of ``100 * w**2 + 4000`` bytes; what it reaches grows with its
capacity and with its epochs, so that a search has something to find.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.compression._candidate import Candidate, Narrowed, ZooNetwork
from trimtab.workers import Job, JobResult, Report

BASELINE_BYTES = 80_000


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def width_of(candidate: Candidate) -> float:
    """The width of a network of the zoo; what a narrowed baseline is like."""
    network = candidate.network
    if isinstance(network, ZooNetwork):
        options = dict(network.options)
        return float(options.get("width") or options["filters"][0])
    share = network.parameters if isinstance(network, Narrowed) else 1.0
    return math.sqrt(max(BASELINE_BYTES * share - 4000, 0.0) / 100)


def facts(candidate: Candidate) -> dict[str, Any]:
    """What the file of a candidate costs."""
    width = width_of(candidate)
    size = int(100 * width**2 + 4000)
    return {
        "parameters": int(100 * width**2),
        "macs": int(1e5 * width**2),
        "bytes": size,
        "gzip_bytes": int(0.9 * size),
        "memory_bytes": int(1000 * width),
        "latency_ms": None,
    }


def accuracy(candidate: Candidate, passes: float, taught: bool) -> float:
    """What a candidate reaches after so many passes over the images."""
    capacity = 1 - math.exp(-width_of(candidate) / 8)
    learnt = 1 - math.exp(-(passes + 0.5) / 6)
    rate = 1 - 0.02 * abs(math.log(candidate.lesson.learning_rate / 3e-3))
    return 0.5 + 0.45 * capacity * learnt * rate + (0.005 if taught else 0.0)


def counts(network: ZooNetwork) -> tuple[float, float, float]:
    """Kernels, channels and MACs of an invented network."""
    width = width_of(Candidate(network))
    return 100 * width**2, 0.0, 1e5 * width**2


@dataclass
class FakeWorkers:
    """Does jobs on an invented clock."""

    folder: Path
    clock: Clock
    count: int = 2
    seconds_per_epoch: Callable[[Candidate], float] = lambda candidate: 8 + 0.3 * width_of(candidate)
    done: list[str] = field(default_factory=list)
    trained: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    begun: dict[str, bool] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    kill_after: int | None = None
    lasting: dict[str, float] = field(default_factory=dict)
    _queue: list[tuple[float, int, Job, Any]] = field(default_factory=list)
    _turn: Iterator[int] = field(default_factory=itertools.count)

    def share(self, name: str, array: Any) -> None:
        assert name not in self.shared
        self.shared.add(name)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        yield

    def submit(self, job: Job, on_report: Any = None) -> None:
        assert set(job.shared) <= self.shared
        assert len(self._queue) < self.count
        self.begun[job.key] = "baseline" in self.done
        kept = self.folder / job.key / "result.json"
        if kept.is_file() and json.loads(kept.read_text())["digest"] == job.digest():
            heapq.heappush(self._queue, (self.clock.now, next(self._turn), job, None))
            return
        heapq.heappush(self._queue, (self.clock.now + self._seconds(job), next(self._turn), job, on_report))

    def cancel(self, key: str) -> None:
        """An invented job does not end before its time."""

    def wait(self, timeout: float | None = None) -> list[JobResult]:
        if not self._queue:
            return []
        if self.kill_after is not None and len(self.done) >= self.kill_after:
            raise KilledError
        if timeout is not None and self._queue[0][0] > self.clock.now + timeout:
            self.clock.now += timeout
            for _, _, job, on_report in self._queue:
                if on_report is not None:
                    on_report(Report(job.key, {"epoch": 1, "epochs": 9, "val_accuracy": 0.5}))
            return []
        at, _, job, _ = heapq.heappop(self._queue)
        self.clock.now = max(self.clock.now, at)
        self.done.append(job.key)
        return [self._result(job)]

    def _seconds(self, job: Job) -> float:
        if "train_leg" not in job.function:
            return self.lasting.get(job.function.rsplit(":", 1)[1], 1.0)
        told = job.arguments
        each = self.seconds_per_epoch(Candidate.of_plain(told["candidate"]))
        return 1.0 + told["epochs"] * told["share"] * each

    def _result(self, job: Job) -> JobResult:
        out = self.folder / job.key / "out"
        out.mkdir(parents=True, exist_ok=True)
        record = getattr(self, "_" + job.function.rsplit(":", 1)[1])(job, out)
        files = {path.name: path for path in out.iterdir()}
        (self.folder / job.key / "result.json").write_text(json.dumps({"digest": job.digest()}))
        return JobResult(job.key, record, files, out.parent, "fake", 1.0)

    def _probe(self, job: Job, out: Path) -> dict[str, Any]:
        candidate = Candidate.of_plain(job.arguments["candidate"])
        (out / "model.tflite").write_bytes(b"file")
        return {"facts": facts(candidate), "kernels": 1, "channels": 1}

    def _train_leg(self, job: Job, out: Path) -> dict[str, Any]:
        candidate, told = Candidate.of_plain(job.arguments["candidate"]), job.arguments
        self.trained.append((job.key, facts(candidate)))
        before = float(job.files["start"].read_text()) if "start" in job.files else 0.0
        passes = before + told["epochs"] * told["share"]
        (out / "model.keras").write_text(str(passes))
        (out / "history.csv").write_text("")
        value = accuracy(candidate, passes, told.get("answers") is not None)
        each = self.seconds_per_epoch(candidate)
        return {
            "epochs": told["epochs"],
            "val_accuracy": value,
            "curve": [value],
            "seconds_per_epoch": each,
            "seconds": 1 + each * told["epochs"] * told["share"],
            "best_epoch": 1,
        }

    def _answer(self, job: Job, out: Path) -> dict[str, Any]:
        np.save(out / "logits.npy", np.zeros((1, 1), np.float32))
        return {}


class KilledError(BaseException):
    """The process was killed."""
