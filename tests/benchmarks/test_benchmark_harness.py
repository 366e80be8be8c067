"""The harness: order of the rounds, arguments, where files go."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

import _harness
import _results


def _session(*words: str) -> _harness.Session:
    return _harness.Session("startup", "Title", "Question?", argv=words)


def test_rounds_rotate_and_blocks_add_up() -> None:
    calls: list[str] = []

    def side(name: str, seconds: float) -> float:
        assert not gc.isenabled()
        calls.append(name)
        return seconds

    samples = _harness.interleaved(
        {"a": lambda: side("a", 1.0), "b": lambda: side("b", 2.0)}, 2, blocks=2, warmup=1
    )
    assert gc.isenabled()
    assert samples == {"a": [2.0, 2.0], "b": [4.0, 4.0]}
    assert "".join(calls) == "ab" + "abba" + "baab"


def test_garbage_collection_is_on_again_after_a_failure() -> None:
    def fails() -> float:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        _harness.interleaved({"a": fails}, 1)
    assert gc.isenabled()


def test_rounds_as_asked_for() -> None:
    assert _session().rounds(full=10) == 10
    assert _session("--quick").rounds(full=10) == 2
    assert _session("--quick", "--rounds", "7").rounds(full=10) == 7
    with pytest.raises(SystemExit):
        _session("--rounds", "0")


def test_a_quick_run_writes_nothing_unless_told_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_harness, "RESULTS", tmp_path / "docs")
    rows = [_results.measured_row("thing", [1.0, 2.0, 3.0], "s")]
    _session("--quick").finish(rows, ["Carefully."])
    assert not list(tmp_path.iterdir())
    assert "thing" in capsys.readouterr().out

    record = _session("--quick", "--out", str(tmp_path / "elsewhere")).finish(rows, ["Carefully."])
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["startup.json", "startup.md"]
    assert json.loads((tmp_path / "elsewhere" / "startup.json").read_text()) == record
    assert record["command"] == "python benchmarks/startup.py --quick"


def test_a_full_run_writes_the_summary_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_harness, "RESULTS", tmp_path)
    rows = [_results.measured_row("thing", [0.1], "s", target=_results.Target(0.3))]
    _session().finish(rows, ["Carefully."])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["README.md", "startup.json", "startup.md"]
    assert "thing" in (tmp_path / "README.md").read_text()
