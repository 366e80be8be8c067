"""The loop that every search runs in: keep the workers busy, take in what comes, and know when to end."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from trimtab.progress import Progress, Silent, Task

if TYPE_CHECKING:
    from trimtab.workers import Job, JobResult, Report, Workers

__all__ = ["Ending", "Search", "drive"]

_LOOKING_UP = 1.0  # seconds between two looks at the clock
_GRACE = 5.0  # seconds that jobs have to end once the time is up; after that they are left as they are


class Search(ABC):
    """What is tried next, and what is made of what came out; `drive` does the rest."""

    @abstractmethod
    def next(self) -> Job | None:
        """Returns the next job; asked whenever a worker is free.

        None: there is nothing to do now. It is asked again after the next result; where nothing is under way,
        the search is over.
        """

    @abstractmethod
    def finished(self, result: JobResult) -> bool:
        """Takes in how a job ended; says whether that is one more of the total that progress counts.

        A result that is `cancelled` may be one that the time was up for: its job can be given out again.
        """

    def reported(self, report: Report) -> bool:  # noqa: ARG002
        """Takes in what a job says on its way; says whether the job is to go on."""
        return True

    def ready(self) -> bool:
        """Tells whether there is an answer to end with. Until there is, the time is not up."""
        return True

    def note(self) -> str:
        """Returns what is shown beside the progress, such as the best so far."""
        return ""

    def spent(self, seconds: float) -> None:  # noqa: B027 - whoever has no use for it leaves it out
        """Is told after each result how long the search has taken so far, over all processes."""


@dataclass(frozen=True)
class Ending:
    """How a search ended.

    Args:
        why: "done": nothing was left to do; "time": its time was up; "interrupted": by Ctrl-C.
        seconds: how long it took, over all processes that had a part in it.
    """

    why: Literal["done", "time", "interrupted"]
    seconds: float


def drive(
    search: Search,
    workers: Workers,
    *,
    seconds: float | None = None,
    spent: float = 0.0,
    progress: Progress | None = None,
    label: str = "search",
    total: int | None = None,
    done: int = 0,
) -> Ending:
    """Runs a search on workers until it is over, its time is up, or somebody presses Ctrl-C.

    None of these is an error: what was found so far is the answer. Jobs that were under way then are left
    unfinished; whoever closes the workers ends them.

    Args:
        search: what to do.
        workers: who does it.
        seconds: how long it may take, over all processes; None: as long as it takes.
        spent: how long earlier processes took.
        progress: where progress is shown; None: nowhere.
        label: what progress calls the search.
        total: how many trials it will be, for progress; None: progress counts seconds, if they are limited.
        done: how many of them earlier processes did.

    Raises:
        OutputError: a file cannot be written. The search can be gone on with.
        WorkerError: the workers cannot be used.
    """
    unit = "trials" if total is not None or seconds is None else "s"
    shown = total if total is not None else seconds
    with (progress or Silent()).task(label, shown, unit) as task:
        loop = _Loop(search, workers, seconds, spent, task, counts_time=unit == "s")
        task.advance(min(spent, seconds or spent) if unit == "s" else done, search.note())
        try:
            why: Literal["done", "time", "interrupted"] = loop.run()
        except KeyboardInterrupt:
            why = "interrupted"
        search.spent(loop.elapsed)
        return Ending(why, loop.elapsed)


class _Loop:
    """One run of a search."""

    def __init__(
        self,
        search: Search,
        workers: Workers,
        seconds: float | None,
        spent: float,
        task: Task,
        *,
        counts_time: bool,
    ) -> None:
        self._search, self._workers, self._task = search, workers, task
        self._seconds, self._spent, self._counts_time = seconds, spent, counts_time
        self._began = time.monotonic()
        self._shown = spent
        self._under_way: set[str] = set()

    @property
    def elapsed(self) -> float:
        """Seconds so far, over all processes."""
        return self._spent + time.monotonic() - self._began

    def run(self) -> Literal["done", "time"]:
        """Gives out jobs and takes in results until nothing is left, or the time is up."""
        while not self._time_is_up():
            # Past its time a search without an answer does what gives it one, and no more.
            while len(self._under_way) < (1 if self._late() else self._workers.count):
                if (job := self._search.next()) is None:
                    break
                self._under_way.add(job.key)
                self._workers.submit(job, self._heard)
            if not self._under_way:
                return "done"
            self._take_in(self._wait())
        self._end()
        return "time"

    def _late(self) -> bool:
        return self._seconds is not None and self.elapsed >= self._seconds

    def _time_is_up(self) -> bool:
        return self._late() and self._search.ready()

    def _wait(self) -> float:
        """Returns how long to wait for a result before looking at the clock again."""
        left = _LOOKING_UP if self._seconds is None else self._seconds - self.elapsed
        return min(max(left, 0.05), _LOOKING_UP)

    def _take_in(self, timeout: float) -> None:
        """Waits for results, and passes them on."""
        for result in self._workers.wait(timeout):
            self._under_way.discard(result.key)
            counts = self._search.finished(result)
            self._search.spent(self.elapsed)
            self._advance(int(counts))
        self._advance(0)

    def _heard(self, report: Report) -> None:
        """Passes a report on, and ends its job where it has no use any more."""
        if not self._search.reported(report) or self._time_is_up():
            self._workers.cancel(report.key)
        self._advance(0)

    def _advance(self, trials: int) -> None:
        steps: float = trials
        if self._counts_time:
            now = min(self.elapsed, self._seconds or 0.0)
            steps, self._shown = max(now - self._shown, 0.0), max(now, self._shown)
        self._task.advance(steps, self._search.note())

    def _end(self) -> None:
        """Asks what is under way to end, and takes in what does so soon."""
        for key in self._under_way:
            self._workers.cancel(key)
        until = time.monotonic() + _GRACE
        while self._under_way and (left := until - time.monotonic()) > 0:
            self._take_in(min(left, _LOOKING_UP))
