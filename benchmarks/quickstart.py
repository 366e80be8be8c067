"""How long the first command takes that a stranger types: `trimtab run quickstart`, stage by stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _harness import Session, interleaved
from _results import Row, Target, measured_row

_WHOLE, _REST = "trimtab run quickstart", "start, data and report"
_QUICKER = (
    "steps.baseline.epochs=1",
    "steps.pruned.epochs=1",
    "data.limit=200",
    "benchmark.latency=false",
    "benchmark.memory=false",
)


def main() -> None:
    """Runs the recipe in fresh folders, on two cores."""
    session = Session(
        "quickstart",
        "How long the quickstart takes",
        "How long does `trimtab run quickstart` take from an installed environment, and what takes the time?",
    )
    _use_two_cores()
    stages: dict[str, list[float]] = {}

    def once() -> float:
        with tempfile.TemporaryDirectory() as scratch:
            seconds = _run(Path(scratch), session.quick)
            found = _stages(Path(scratch) / "run")
        for name, taken in {**found, _REST: seconds - sum(found.values())}.items():
            stages.setdefault(name, []).append(taken)
        return seconds

    whole = interleaved({_WHOLE: once}, session.rounds(full=4, quick=1), warmup=0, label="quickstart")[_WHOLE]
    rows: list[Row] = [measured_row(_WHOLE, whole, "s", target=Target(60))]
    rows += [measured_row(name, taken, "s", group="of which") for name, taken in stages.items()]
    session.finish(rows, _METHOD)


_METHOD = (
    "A fresh process and a fresh folder each time, at most two cores, timed from start to end by the process "
    "that starts it.",
    "The stages are what the run itself recorded in its folder; the rest is the start of Python and of the "
    "backend, the images, the plots and the report.",
)


def _use_two_cores() -> None:
    """Keeps this process and its children on two cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def _run(scratch: Path, quick: bool) -> float:
    """Runs the recipe once; gives the seconds."""
    trimtab = Path(sys.executable).with_name("trimtab.exe" if os.name == "nt" else "trimtab")
    command = [str(trimtab), "run", "quickstart", "--out", "run"]
    for setting in _QUICKER if quick else ():
        command += ["--set", setting]
    began = time.perf_counter()
    process = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        last = process.stderr.strip().splitlines()[-3:]
        raise SystemExit(f"trimtab run quickstart ended with {process.returncode}: {' | '.join(last)}")
    return seconds


def _stages(folder: Path) -> dict[str, float]:
    """Reads how long each stage took, in the order in which they were done."""
    recipe = _read(folder / "run.json")["recipe"]
    results = [_read(folder / "steps" / step["name"] / "result.json") for step in recipe["steps"]]
    stages = {f"{result['do']} {result['name']}": float(result["seconds"]) for result in results}
    return {**stages, "benchmark": float(_read(folder / "benchmark" / "result.json")["seconds"])}


def _read(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return record


if __name__ == "__main__":
    main()
