"""A run that is killed, at any moment, ends with the same table once it is resumed."""

from __future__ import annotations

import functools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SETTINGS = (
    "steps.baseline.epochs=4",
    "steps.pruned.epochs=3",
    "steps.baseline.model.filters=[8,16]",
    "steps.baseline.model.dense=16",
    "benchmark.memory=false",
    "benchmark.latency=false",
)
PROGRESS = re.compile(r" \.\.\.$|: done in |: \d+/\d+ ")
REPRODUCIBLE = (
    "accuracy",
    "loss",
    "bytes",
    "gzip_bytes",
    "parameters",
    "non_zeros",
    "macs",
    "size_reduction",
)


def start(folder: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "trimtab", "run", "quickstart", "--out", str(folder), "--resume"]
    for setting in SETTINGS:
        words += ["--set", setting]
    # What starts the tests in the background has Ctrl-C ignored, and children inherit that.
    heeded = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=heeded)


def finish(folder: Path) -> None:
    process = start(folder)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    # Progress is all that is said: no greetings of native code, no warnings.
    assert [line for line in err.decode().splitlines() if not PROGRESS.search(line)] == []


def table(folder: Path) -> dict[str, Any]:
    """Everything in the result table that does not depend on a clock."""
    rows = json.loads((folder / "benchmark" / "result.json").read_text())["rows"]
    return {
        row["name"]: {name: m["value"] for name, m in row["measurements"].items() if name in REPRODUCIBLE}
        for row in rows
    }


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    finish(folder)
    return folder


def kill_when(folder: Path, appears: str, extra_seconds: float) -> bool:
    """Starts or resumes the run and kills it a moment after a file appears; says whether it was killed."""
    process = start(folder)
    deadline = time.monotonic() + 120
    while process.poll() is None and not list(folder.glob(appears)) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(extra_seconds)
    running = process.poll() is None
    if running:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return running


def test_killed_at_random_moments_and_resumed(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    moments = random.Random()  # new moments each time: a failure prints them
    waits = [moments.uniform(0, 1.0) for _ in range(4)]
    kills = [
        kill_when(folder, "run.json", waits[0]),
        kill_when(folder, "steps/baseline/checkpoint-*.npz", waits[1] / 4),
        kill_when(folder, "steps/pruned/*", waits[2]),
        kill_when(folder, "steps/baseline-int8/*", waits[3]),
    ]
    finish(folder)
    assert any(kills), f"no kill met a running process: {waits}"
    assert table(folder) == table(unbroken), f"after kills at {waits}"
    with (
        np.load(folder / "benchmark" / "predictions.npz") as mine,
        np.load(unbroken / "benchmark" / "predictions.npz") as theirs,
    ):
        assert sorted(mine.files) == sorted(theirs.files)
        for name in mine.files:
            np.testing.assert_array_equal(mine[name], theirs[name])
    assert not list(folder.rglob("*.partial.*")) or table(folder) == table(unbroken)
    assert not list(folder.rglob("checkpoint-*.npz"))


def test_nothing_is_done_twice(unbroken: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in unbroken.rglob("*.keras")}
    finish(unbroken)
    assert {path: path.stat().st_mtime_ns for path in unbroken.rglob("*.keras")} == before


def test_ctrl_c_leaves_a_resumable_run_and_says_how(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder)
    deadline = time.monotonic() + 120
    while (
        not list(folder.glob("steps/baseline/*")) and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert "--resume" in err.decode()
    assert "Traceback" not in err.decode()
    finish(folder)
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"
