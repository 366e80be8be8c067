"""The loop that every search runs in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trimtab.progress import Silent
from trimtab.tuning import Search, _drive, drive
from trimtab.workers import Job, JobResult, Report


class Clock:
    """A clock that moves only when somebody works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(_drive.time, "monotonic", lambda: self.now)


class FakeWorkers:
    """Workers whose jobs take a second, report once, and end in order."""

    def __init__(self, clock: Clock, count: int = 1) -> None:
        self.clock, self.count = clock, count
        self.line: list[tuple[Job, Callable[[Report], None]]] = []
        self.cancelled: list[str] = []
        self.most = 0

    def submit(self, job: Job, on_report: Callable[[Report], None]) -> None:
        self.line.append((job, on_report))
        self.most = max(self.most, len(self.line))

    def wait(self, timeout: float | None = None) -> list[JobResult]:
        if not self.line:
            return []
        job, tell = self.line.pop(0)
        if job.function.endswith("interrupt"):
            raise KeyboardInterrupt
        self.clock.now += 1
        tell(Report(job.key, {"value": 1}))
        stopped = job.key in self.cancelled
        return [JobResult(job.key, {}, {}, Path(), "fake", 1.0, cancelled=stopped)]

    def cancel(self, key: str) -> None:
        self.cancelled.append(key)


class Counting(Search):
    """So many jobs, one after another."""

    def __init__(
        self, jobs: int, function: str = "room:do", ready_after: int = 0, hopeless: str = ""
    ) -> None:
        self.left = [Job(f"job-{number}", function) for number in range(jobs)]
        self.ended: list[JobResult] = []
        self.heard: list[str] = []
        self.seconds = 0.0
        self.ready_after, self.hopeless = ready_after, hopeless

    def next(self) -> Job | None:
        return self.left.pop(0) if self.left else None

    def reported(self, report: Report) -> bool:
        self.heard.append(report.key)
        return report.key != self.hopeless

    def finished(self, result: JobResult) -> bool:
        self.ended.append(result)
        return not result.cancelled

    def ready(self) -> bool:
        return len(self.ended) >= self.ready_after

    def note(self) -> str:
        return f"{len(self.ended)} done"

    def spent(self, seconds: float) -> None:
        self.seconds = seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize("count", [1, 3])
def test_all_jobs_are_done_once_and_the_workers_are_kept_busy(clock: Clock, count: int) -> None:
    search, workers = Counting(7), FakeWorkers(clock, count)
    ending = drive(search, workers)
    assert ending.why == "done"
    assert [result.key for result in search.ended] == [f"job-{number}" for number in range(7)]
    assert search.heard == [result.key for result in search.ended]
    assert workers.most == count
    assert ending.seconds == search.seconds == 7


def test_its_time_counts_over_all_processes(clock: Clock) -> None:
    search = Counting(100)
    ending = drive(search, FakeWorkers(clock), seconds=10, spent=6)
    assert (ending.why, len(search.ended)) == ("time", 4)
    assert search.seconds == ending.seconds == 10
    assert search.left


def test_what_is_under_way_when_the_time_is_up_is_asked_to_end(clock: Clock) -> None:
    search, workers = Counting(100), FakeWorkers(clock, count=3)
    drive(search, workers, seconds=2)
    assert {"job-2", "job-3"} <= set(workers.cancelled)
    assert [result.key for result in search.ended if result.cancelled][-2:] == ["job-2", "job-3"]


def test_without_an_answer_the_time_is_not_up(clock: Clock) -> None:
    search = Counting(10, ready_after=5)
    assert drive(search, FakeWorkers(clock), seconds=2).why == "time"
    assert len(search.ended) == 5


def test_a_job_of_no_use_is_cancelled(clock: Clock) -> None:
    search, workers = Counting(3, hopeless="job-1"), FakeWorkers(clock)
    assert drive(search, workers).why == "done"
    assert workers.cancelled == ["job-1"]
    assert [result.cancelled for result in search.ended] == [False, True, False]


def test_ctrl_c_is_an_ending_and_no_error(clock: Clock) -> None:
    search = Counting(3, "room:interrupt")
    assert drive(search, FakeWorkers(clock)).why == "interrupted"


class Told(Silent):
    """Keeps what progress is told."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.steps = 0.0
        self.notes: list[str] = []

    def task(self, label: str, total: float | None = None, unit: str = "") -> Any:
        self.begun.append((label, total, unit))
        outer, task = self, super().task(label, total, unit)

        class Counted(type(task)):  # type: ignore[misc]
            def advance(self, steps: float = 1, note: str = "") -> None:
                outer.steps += steps
                outer.notes.append(note)

        return Counted()


def test_progress_counts_trials_or_else_seconds(clock: Clock) -> None:
    told = Told()
    drive(Counting(4), FakeWorkers(clock), progress=told, label="tune", total=6, done=2)
    assert told.begun == [("tune", 6, "trials")]
    assert told.steps == 6
    assert told.notes[-1] == "4 done"
    told = Told()
    drive(Counting(40), FakeWorkers(clock), progress=told, seconds=8, spent=3)
    assert told.begun == [("search", 8, "s")]
    assert told.steps == 8
