"""Long benchmarks train point by point: a few worker processes do, and each point is kept once it is there.

So a run that was killed goes on where it stopped, and one that is whole is only drawn again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import queue
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from _harness import commit, say
from _workers import Worker

__all__ = ["WORKERS", "Trainer", "digest"]

WORKERS = 2


def digest(settings: Any) -> str:
    """Returns what the folder of finished points is called: other settings make other points."""
    text = json.dumps(dataclasses.asdict(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Trains the points of one benchmark, and finds those that are there.

    Args:
        kind: a key of `_worker.POINTS`: what trains a point.
        settings: what all points have in common, a dataclass.
        folder: where finished points are kept.
        path_of: where a point is kept, given the folder and the point.
        told: a point in words.
        workers: processes that train side by side, each on a core of its own.
        python: interpreter of the environment that trains; None: this process' own.
    """

    kind: str
    settings: Any
    folder: Path
    path_of: Callable[[Path, Any], Path]
    told: Callable[[Any], str]
    workers: int = WORKERS
    python: Path | None = None

    def finished(self, *stages: Sequence[Any]) -> list[list[dict[str, Any]]]:
        """Trains what is not there yet, stage after stage; gives the results of each stage's points.

        Args:
            *stages: dataclasses; those of a later stage may go on from the models of an earlier one.
        """
        with contextlib.ExitStack() as stack:
            idle: queue.SimpleQueue[Worker] | None = None
            for wanted in stages:
                todo = [point for point in wanted if not self.path_of(self.folder, point).is_file()]
                say(f"{len(wanted) - len(todo)} of {len(wanted)} points are there, {len(todo)} to train")
                if todo:
                    idle = idle or _crew(stack, self.workers, self.python)
                    self._train(todo, idle)
        return [
            [json.loads(self.path_of(self.folder, point).read_text("utf-8")) for point in wanted]
            for wanted in stages
        ]

    def _train(self, todo: Sequence[Any], idle: queue.SimpleQueue[Worker]) -> None:
        """Trains points, as many at a time as there are workers."""
        request: Mapping[str, Any] = {
            "kind": self.kind,
            "settings": dataclasses.asdict(self.settings),
            "folder": str(self.folder),
            **commit(),
        }

        def one(point: Any) -> Any:
            worker = idle.get()
            try:
                worker.point(point=dataclasses.asdict(point), **request)
            finally:
                idle.put(worker)
            return point

        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            try:
                working = [pool.submit(one, point) for point in todo]
                for number, done in enumerate(concurrent.futures.as_completed(working), 1):
                    say(f"{number}/{len(todo)}: {self.told(done.result())}")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # else it would train all that is left
                raise


def _crew(stack: contextlib.ExitStack, workers: int, python: Path | None) -> queue.SimpleQueue[Worker]:
    """Starts the workers, each on a core of its own."""
    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for number in range(min(workers, os.cpu_count() or 1)):
        idle.put(stack.enter_context(Worker(python, cores=1, first_core=number)))
    return idle
