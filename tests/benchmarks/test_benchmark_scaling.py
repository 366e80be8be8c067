"""The simulation behind the curve of throughput, its search, and its picture."""

from __future__ import annotations

from pathlib import Path

import pytest

import _scaling_picture
from _scaling_search import asking, search
from _scaling_simulation import makespan
from trimtab.workers import InProcess


def simulated(workers: int, jobs: int, work: float = 10.0, driver: float = 0.0, away: float = 0.0) -> float:
    return makespan(workers, jobs, lambda _: work, lambda _: driver / 2, lambda _: driver / 2, away)


def test_without_costs_throughput_grows_with_the_workers() -> None:
    assert simulated(1, 64) == 640
    assert simulated(4, 64) == 160
    assert simulated(64, 64) == simulated(100, 64) == 10
    assert simulated(3, 4) == 20  # two rounds, the second for one


def test_a_driver_that_is_busy_is_the_limit() -> None:
    # One second of the driver for each job: no more than one job a second, however many workers.
    assert simulated(64, 640, driver=1.0) == pytest.approx(640, rel=0.03)
    # A single worker waits for the driver too.
    assert simulated(1, 5, driver=1.0) == pytest.approx(5 * 11)


def test_the_way_there_and_back_keeps_the_worker_only() -> None:
    assert simulated(1, 5, away=2.0) == 60
    assert simulated(5, 5, away=2.0) == 12


def test_costs_go_by_the_number() -> None:
    assert makespan(1, 3, float, lambda number: 10.0 * number, lambda done: 100.0 * done, 0.0) == 3 + 30 + 300


def test_a_search_is_timed_in_its_parts(tmp_path: Path) -> None:
    with InProcess(tmp_path / "work") as workers:
        clocks = search(workers, tmp_path / "study", "sleep", {"seconds": 0.003}, jobs=3, at_once=1)
        assert not list(workers.folder.glob("[!.]*"))
    parts = (clocks.ask, clocks.submit, clocks.tell, clocks.work)
    assert [len(part) for part in parts] == [3] * 4
    assert min(clocks.work) >= 0.003
    assert sum(sum(part) for part in parts) <= clocks.wall
    alone = asking(tmp_path / "alone", 4)
    assert len(alone.ask) == len(alone.tell) == 4


def test_the_picture_is_drawn_from_the_record(tmp_path: Path) -> None:
    curve = {"name": "jobs of 1 s", "workers": [1, 2, 4], "speedup": [1.0, 1.9, 3.6]}
    points = {"name": "jobs", "workers": [1.0, 2.0], "speedup": [1.0, 1.9], "low": [1, 1.8], "high": [1, 2]}
    path = _scaling_picture.draw({"curves": [curve], "points": [points]}, tmp_path / "scaling")
    assert path.read_bytes().startswith(b"\x89PNG")
