"""Lets these tests import the scripts, and run them as a user does: in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "benchmarks"

if str(SCRIPTS) not in sys.path:
    sys.path.insert(0, str(SCRIPTS))


def _docs() -> dict[str, tuple[int, int]]:
    """Says what lies in docs/, to see whether a script touched it."""
    return {
        str(path.relative_to(ROOT)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in (ROOT / "docs" / "results").rglob("*")
    }


@pytest.fixture
def quick(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a script with --quick and without peers, and gives the record it wrote."""

    def run(name: str, *more: str) -> dict[str, Any]:
        before = _docs()
        command = [
            sys.executable,
            str(SCRIPTS / f"{name}.py"),
            "--quick",
            "--no-peers",
            "--out",
            str(tmp_path),
        ]
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert _docs() == before, "a quick run wrote in docs/"
        record: dict[str, Any] = json.loads((tmp_path / f"{name}.json").read_text("utf-8"))
        page = (tmp_path / f"{name}.md").read_text("utf-8")
        for row in record["rows"]:
            assert row["name"] in done.stdout
            assert row["name"] in page
        return record

    return run
