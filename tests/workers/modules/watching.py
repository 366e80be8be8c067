"""How the tests of workers wait for what they expect."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trimtab.workers import Job, JobResult, Workers

PATIENCE = 60.0  # seconds after which a test gives up; nothing here takes more than a few


def job(key: str, function: str, arguments: dict[str, Any] | None = None, **more: Any) -> Job:
    """A job that does one of the errands."""
    return Job(key, f"errands:{function}", arguments or {}, **more)


def all_results(workers: Workers) -> dict[str, JobResult]:
    """Waits for every job; no key may come twice."""
    results: dict[str, JobResult] = {}
    end = time.monotonic() + PATIENCE
    while arrived := workers.wait(max(end - time.monotonic(), 0)):
        for result in arrived:
            assert result.key not in results
            results[result.key] = result
    assert time.monotonic() < end
    return results


def eventually(what: Callable[[], Any]) -> Any:
    """Waits until something is true, and gives it."""
    end = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def first_pid(marks: Path) -> int | None:
    """The process that wrote the first line of a file of marks; None as long as there is none."""
    text = marks.read_text() if marks.exists() else ""
    return int(text.splitlines()[0]) if "\n" in text else None


def alive(pid: int) -> bool:
    """Says whether a process is there and does not only wait to be buried."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return Path("/proc").is_dir() is False
