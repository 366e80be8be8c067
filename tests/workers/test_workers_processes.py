"""Processes: what happens to them, and what must not be left behind."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from watching import alive, all_results, eventually, first_pid, job

from trimtab.errors import ConfigError, WorkerError
from trimtab.workers import InProcess, Processes, open_workers
from trimtab.workers._cores import shares

SIGNALS = hasattr(os, "killpg") and Path("/proc").is_dir()
pytestmark = pytest.mark.skipif(not SIGNALS, reason="needs Linux' signals and /proc")


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Processes]:
    with Processes(2, tmp_path / "work") as workers:
        yield workers


def test_a_worker_that_dies_gives_its_job_to_another_which_goes_on_from_the_checkpoint(
    workers: Processes,
) -> None:
    workers.submit(job("broken", "resume"))
    workers.submit(job("whole", "add", {"numbers": [1]}))
    results = all_results(workers)
    assert results["broken"].record == {"from": 7}
    assert (results["broken"].error, results["broken"].attempts) == (None, 2)
    assert results["broken"].files == {}, "what a broken attempt left does not count"
    assert results["whole"].attempts == 1


def test_a_job_that_kills_every_worker_is_an_error_in_the_end(workers: Processes, tmp_path: Path) -> None:
    workers.submit(job("deadly", "die", {"marks": str(tmp_path / "marks")}))
    workers.submit(job("whole", "add", {"numbers": [1]}))
    results = all_results(workers)
    assert results["whole"].error is None
    error = "3 workers died at this job; the last one was ended by signal 9, perhaps for lack of memory"
    assert (results["deadly"].error, results["deadly"].attempts) == (error, 3)
    assert len(set((tmp_path / "marks").read_text().splitlines())) == 3


def test_a_worker_killed_from_outside_is_replaced(workers: Processes, tmp_path: Path) -> None:
    marks = [tmp_path / "one", tmp_path / "two"]
    for number, file in enumerate(marks):
        workers.submit(job(f"job-{number}", "tick", {"file": str(file)}))
    pids = [eventually(lambda file=file: first_pid(file)) for file in marks]
    os.kill(pids[0], signal.SIGKILL)
    assert workers.wait(timeout=0.2) == []
    assert eventually(lambda: workers.wait(timeout=0.05) or len(marks[0].read_text().split("\n")) > 2)
    assert alive(pids[1])


def test_the_cores_are_divided(workers: Processes) -> None:
    cores = sorted(os.sched_getaffinity(0))
    for number in range(2):
        workers.submit(job(f"job-{number}", "threads"))
    for result in all_results(workers).values():
        own = result.record["cores"]
        assert own in shares(2)
        assert result.record["threads"] == result.record["omp"] == str(len(own))
    assert sorted(os.sched_getaffinity(0)) == cores


def test_shares_cover_all_cores_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 1, 7, 5, 9})
    assert shares(2) == [[1, 3], [5, 7, 9]]
    assert shares(5) == [[1], [3], [5], [7], [9]]
    assert shares(7) == [[1], [3], [5], [7], [9], [1], [3]]
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert shares(2) == [[0, 1], [2, 3]]


def test_nothing_runs_while_they_are_paused(workers: Processes, tmp_path: Path) -> None:
    files = {"file": tmp_path / "own", "child": tmp_path / "child"}
    workers.submit(job("one", "tick", {name: str(file) for name, file in files.items()}))
    for file in files.values():
        eventually(lambda file=file: first_pid(file))
    with workers.paused():
        workers.submit(job("two", "add", {"numbers": []}))
        eventually(lambda: all(_state(first_pid(file)) == "T" for file in files.values()))
        sizes = [file.stat().st_size for file in files.values()]
        assert workers.wait(timeout=0.1) == []
        assert [file.stat().st_size for file in files.values()] == sizes
    for file, size in zip(files.values(), sizes, strict=True):
        eventually(lambda file=file, size=size: file.stat().st_size > size)
    assert [result.key for result in workers.wait(60)] == ["two"]


def test_where_nothing_can_be_halted_running_jobs_end_first(
    workers: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.workers._processes.CAN_HALT", False)
    for key in ("one", "two", "three"):
        workers.submit(job(key, "climb", {"steps": 2, "seconds": 0.02}))
    with workers.paused():
        done = {result.key for result in workers.wait(timeout=0)}
        assert done == {"one", "two"}
    assert set(all_results(workers)) == {"three"}


def test_closing_ends_what_jobs_have_started_too(tmp_path: Path) -> None:
    files = {"file": tmp_path / "own", "child": tmp_path / "child"}
    before = set(Path(tempfile.gettempdir()).glob("trimtab-workers-*"))
    with Processes(1, tmp_path / "work") as workers:
        workers.submit(job("one", "tick", {name: str(file) for name, file in files.items()}))
        pids = [eventually(lambda file=file: first_pid(file)) for file in files.values()]
    eventually(lambda: not any(alive(pid) for pid in pids))
    assert set(Path(tempfile.gettempdir()).glob("trimtab-workers-*")) <= before


PR_SET_CHILD_SUBREAPER = 36  # from linux/prctl.h

DRIVER = """
    import sys
    sys.path.append({modules!r})
    from pathlib import Path
    from watching import eventually, first_pid, job
    from trimtab.workers import Processes

    with Processes(2, Path("work")) as workers:  # no guard: the children do not run this file
        workers.submit(job("one", "tick", {{"file": "own", "child": "child"}}))
        workers.submit(job("two", "tick", {{"file": "other"}}))
        for name in ("own", "child", "other"):
            eventually(lambda: first_pid(Path(name)))
        if {paused}:
            with workers.paused():
                print("ready", flush=True)
                input()
        print("ready", flush=True)
        workers.wait()
"""


@pytest.mark.parametrize(("number", "paused"), [("SIGKILL", False), ("SIGKILL", True), ("SIGINT", False)])
def test_when_the_driver_ends_all_end(tmp_path: Path, number: str, paused: bool) -> None:
    modules = str(Path(__file__).with_name("modules"))
    (tmp_path / "driver.py").write_text(textwrap.dedent(DRIVER.format(modules=modules, paused=paused)))
    # What starts the tests in the background has Ctrl-C ignored, and children inherit that.
    heeded = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        [sys.executable, "driver.py"],
        cwd=tmp_path,
        preexec_fn=heeded,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "ready\n"
        pids = [first_pid(tmp_path / name) for name in ("own", "child", "other")]
        assert all(pid and alive(pid) for pid in pids)
        driver.send_signal(getattr(signal, number))
        try:
            said = driver.communicate(timeout=60)[1]
        finally:
            driver.kill()
    assert ("KeyboardInterrupt" in said) == (number == "SIGINT")
    eventually(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process inherit orphans")
def test_halted_children_end_with_their_driver_where_a_parent_of_ours_inherits_them(tmp_path: Path) -> None:
    # A container's first process is often the shell that started us: then no group is without a guardian,
    # and the system does not wake those that are halted.
    inherit = ctypes.CDLL(None).prctl
    assert inherit(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        test_when_the_driver_ends_all_end(tmp_path, "SIGKILL", paused=True)
    finally:
        inherit(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        for name in ("own", "child", "other"):
            with contextlib.suppress(ChildProcessError, TypeError, ProcessLookupError):
                pid = first_pid(tmp_path / name)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def test_processes_that_cannot_begin_are_told_with_what_they_said(
    workers: Processes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text("raise SystemExit('no such library: libm.so')")
    monkeypatch.setattr("trimtab.workers._process._PROGRAM", tmp_path / "program.py")
    workers.submit(job("one", "add", {"numbers": []}))
    message = r"end before their first job \(ended with code 1\).*said: no such library: libm.so"
    with pytest.raises(WorkerError, match=message):
        all_results(workers)


def test_a_process_that_cannot_be_started_is_one_line(
    workers: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(WorkerError, match=r"cannot be started \(No such file or directory\)"):
        workers.submit(job("one", "add", {"numbers": []}))


def test_which_workers_are_opened(tmp_path: Path) -> None:
    with open_workers(tmp_path) as one, open_workers(tmp_path, jobs=3) as three:
        assert (type(one), one.count) == (InProcess, 1)
        assert (type(three), three.count) == (Processes, 3)
    for wrong in (0, -1, 1.5, True, "2"):
        with pytest.raises(ConfigError, match="jobs is a whole number of processes, 1 or more"):
            open_workers(tmp_path, jobs=wrong)


def _state(pid: int | None) -> str:
    """The state of a process as Linux has it: ``T`` when it is halted."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
