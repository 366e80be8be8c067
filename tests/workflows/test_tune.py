"""`trimtab tune` as a user runs it: killed, gone on with, and what it says of a wrong folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SPACE = """
model: {filters: {choice: [[4, 8], [8, 16]]}, dense: 16}
learning_rate: {low: 1e-3, high: 2e-2, log: true, default: 1e-3}
epochs: 1
batch_size: 32
"""


def words(folder: Path, *more: str) -> list[str]:
    (folder / "space.yaml").write_text(SPACE)
    return [
        *("tune", "--data", "digits", "--limit", "200", "--space", str(folder / "space.yaml")),
        *("--trials", "3", "--out", str(folder / "run"), *more),
    ]


def test_killed_it_goes_on_and_no_trial_is_lost_or_repeated(tmp_path: Path, cli: Callable) -> None:
    place = tmp_path / "run" / "trials"
    process = subprocess.Popen(
        [sys.executable, "-m", "trimtab", *words(tmp_path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + 300
        while not (place / "0000" / "history.csv").is_file():
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
    # Progress is all that is said: no greetings of native code, no warnings.
    assert [line for line in said.decode().splitlines() if not line.startswith("tune")] == []
    # A history holds times: trained again, it would be another one.
    before = {path.name: path.read_bytes() for path in place.glob("0000/*.*")}

    refused = cli(*words(tmp_path))
    assert refused.code == 2
    assert "Add --resume to go on with it" in refused.err
    refused = cli(*words(tmp_path, "--resume", "--seed", "1"))
    assert refused.code == 2
    assert "holds another study" in refused.err

    done = cli(*words(tmp_path, "--resume", "--json"))
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert [trial["number"] for trial in told["trials"]] == [0, 1, 2]
    assert {trial["state"] for trial in told["trials"]} <= {"complete", "cut"}
    assert len({json.dumps(trial["values"]) for trial in told["trials"]}) == 3
    assert {path.name: path.read_bytes() for path in place.glob("0000/[hm]*")} == {
        name: content for name, content in before.items() if name[0] != "."
    }
    assert (tmp_path / "run" / "best.keras").is_file()
    assert "What tuning found" in (tmp_path / "run" / "report.html").read_text()

    shown = cli(*words(tmp_path, "--resume"))  # there is nothing left to do
    assert "nothing: the baseline" in shown.out
    assert f"Report: {tmp_path / 'run' / 'report.html'}" in shown.out
    refused = cli("run", tmp_path / "run", "--resume")
    assert refused.code == 2
    assert "`trimtab tune` made" in refused.err
