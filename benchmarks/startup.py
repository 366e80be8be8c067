"""How soon the command line answers where no backend is needed: help, mistakes, a report drawn again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from _harness import Session, interleaved, say
from _results import Row, Target, measured_row

_LIMIT = Target(0.3)
_FLOOR = "python -c pass"
_TINY_RECIPE = """\
name: tiny
data: {source: digits, limit: 200}
steps:
  - {name: trained, do: train, model: {architecture: cnn, filters: [4], dense: 8}, epochs: 1}
  - {name: file, do: export, from: trained, scheme: float32}
benchmark: {latency: false, memory: false}
"""


def main() -> None:
    """Starts each command again and again, in turn, and times it from start to end."""
    session = Session(
        "startup",
        "How soon the command line answers",
        "How long does a command take that needs no backend, from its start to its end?",
    )
    with tempfile.TemporaryDirectory() as scratch:
        rows = _measure(session, Path(scratch))
    session.finish(rows, _METHOD)


_METHOD = (
    "A fresh process each time, timed from its start to its end by the process that starts it; all in turn, "
    "the order rotates.",
    "The first start of each (which may compile and read files from the disk) is not counted.",
    "`python -c pass` is the floor. `import tensorflow` is what every command would take at least, if it "
    "loaded a backend; drawing a report takes Matplotlib, but no backend.",
    "The target was set for `trimtab --help`; the help of a command is held to it too. The mistakes are a "
    "wrong option and a wrong recipe.",
)


def _measure(session: Session, scratch: Path) -> list[Row]:
    """Measures commands, and what they avoid."""
    trimtab = _trimtab()
    python = sys.executable
    light: dict[str, tuple[list[str], int]] = {
        _FLOOR: ([python, "-c", "pass"], 0),
        "trimtab --help": ([trimtab, "--help"], 0),
        "trimtab run --help": ([trimtab, "run", "--help"], 0),
        "trimtab run --no-such-option": ([trimtab, "run", "--no-such-option"], 2),
        "trimtab run no-such-recipe": ([trimtab, "run", "no-such-recipe"], 2),
    }
    folder = _finished_run(session, trimtab, scratch)
    heavy = {
        "trimtab report FOLDER": ([trimtab, "report", str(folder)], 0),
        "python -c 'import tensorflow'": ([python, "-c", "import tensorflow"], 0),
    }
    samples = _samples(session, light, session.rounds(30), scratch)
    slower = _samples(session, heavy, session.rounds(7, quick=1), scratch)
    rows = [
        measured_row(
            title,
            taken,
            "s",
            target=_LIMIT if title.endswith("--help") else None,
            versus=None if title == _FLOOR else (_FLOOR, samples[_FLOOR]),
        )
        for title, taken in samples.items()
    ]
    return rows + [measured_row(title, taken, "s") for title, taken in slower.items()]


def _samples(
    session: Session, commands: dict[str, tuple[list[str], int]], rounds: int, scratch: Path
) -> dict[str, list[float]]:
    """Times commands in turn; each comes with the exit code that it must end with."""
    return interleaved(
        {title: _started(*command, scratch) for title, command in commands.items()},
        rounds,
        warmup=0 if session.quick else 1,
        label=" and ".join([*commands][:2]),
    )


def _trimtab() -> str:
    """Finds the command of the environment that this runs in."""
    command = Path(sys.executable).with_name("trimtab.exe" if os.name == "nt" else "trimtab")
    if not command.exists():
        raise SystemExit(f"There is no {command}. Install Trimtab in this environment first: make install.")
    return str(command)


def _finished_run(session: Session, trimtab: str, scratch: Path) -> Path:
    """Makes a run to draw the report of: the quickstart, or in a quick run a recipe of two steps."""
    recipe = "quickstart"
    if session.quick:
        recipe = str(scratch / "tiny.yaml")
        Path(recipe).write_text(_TINY_RECIPE, "utf-8")
    say("making a run, to draw its report")
    folder = scratch / "run"
    _started([trimtab, "run", recipe, "--out", str(folder)], 0, scratch)()
    return folder


def _started(command: Sequence[str], code: int, folder: Path) -> Callable[[], float]:
    """Gives what runs a command in a fresh process and returns the seconds it took."""

    def once() -> float:
        began = time.perf_counter()
        process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        if process.returncode != code:
            last = (process.stderr or process.stdout).strip().splitlines()[-3:]
            raise SystemExit(
                f"{' '.join(command)} ended with {process.returncode}, not {code}: {' | '.join(last)}"
            )
        return seconds

    return once


if __name__ == "__main__":
    main()
