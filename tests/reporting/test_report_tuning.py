"""What the report shows of a tuning, from its record alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.errors import RunError
from trimtab.reporting import collect, report
from trimtab.reporting._charts import charts
from trimtab.reporting._trials_chart import Parallel, Trials
from trimtab.tuning import Choice, Real, Space, TrialResult
from trimtab.tuning._record import TuningRecord

SPACE = Space(
    {
        "model.filters": Choice(((16, 32), (8, 16))),
        "optimizer": Choice(("adam", "sgd")),
        "momentum": Real(0.0, 0.9, when={"optimizer": ("sgd",)}),
        "learning_rate": Real(1e-4, 1e-2, log=True),
    },
    {"epochs": 4},
)


def trial(number: int, accuracy: float, state: str = "complete", **values: Any) -> TrialResult:
    setting = {"epochs": 4, "model.filters": (8, 16), "optimizer": "adam", "learning_rate": 1e-3, **values}
    why = "below the median" if state == "cut" else "it <b>diverged</b>" if state == "failed" else ""
    known = (accuracy, accuracy - 0.02, accuracy + 0.02) if state != "failed" else (None, None, None)
    return TrialResult(number, state, setting, *known, epochs=4, parameters=1000, seconds=3.0, why=why)  # type: ignore[arg-type]


TRIALS = [
    trial(0, 0.80),
    trial(1, 0.85, optimizer="sgd", momentum=0.45),
    trial(2, 0.30, "cut", learning_rate=1e-2),
    trial(3, 0.0, "failed", learning_rate=9e-3),
    trial(4, 0.90, **{"model.filters": (16, 32)}),
    trial(5, 0.10),
    trial(6, 0.70, "unfinished"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `trimtab tune` leaves, without its models."""
    shares = {"learning_rate": 0.7, "model.filters": 0.3}
    TuningRecord(tmp_path / "tuning.json", SPACE, ("accuracy",), 500).write(TRIALS, "time", 61.0, shares)
    run = {
        "format": 1, "kind": "tune", "trimtab": "1", "status": "complete", "seed": 3, "created": "2026-11-30",
        "command": "trimtab tune --data digits", "data": {"name": "digits", "class_names": ["a", "b"]},
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(run))
    (tmp_path / "space.yaml").write_text("epochs: 4")
    return tmp_path


def test_the_history_says_what_was_best_when(folder: Path) -> None:
    (chart,) = [chart for chart in charts(collect(folder)) if isinstance(chart, Trials)]
    assert [(number, round(value, 6)) for number, value in chart.best] == [(0, 80), (1, 85), (4, 90), (6, 90)]
    assert chart.baseline == pytest.approx(80)
    assert [mark.number for mark in chart.marks] == [0, 1, 2, 4, 5, 6]
    low, high = chart.y_range
    assert low < 80 < 90 < high
    assert all(low < chart.clipped(mark) < high for mark in chart.marks)


def test_every_setting_is_a_line_through_its_values(folder: Path) -> None:
    (chart,) = [chart for chart in charts(collect(folder)) if isinstance(chart, Parallel)]
    names = [rail.name for rail in chart.rails]
    assert names[-3:] == ["filters", "learning rate", "accuracy (%)"]  # what matters most comes last
    lines = {strand.name: dict(zip(names, strand.places, strict=True)) for strand in chart.strands}
    assert set(lines) == {f"trial {number}" for number in range(6)}
    assert lines["trial 0"]["learning rate"] == pytest.approx(0.5)
    assert lines["trial 2"]["learning rate"] == pytest.approx(1)
    assert (lines["trial 0"]["filters"], lines["trial 4"]["filters"]) == (0, 1)  # the narrower one is below
    assert lines["trial 1"]["momentum"] == pytest.approx(0.5)
    assert lines["trial 0"]["momentum"] < 0 and chart.unused  # noqa: PT018
    roles = {strand.name: strand.role for strand in chart.strands if strand.role}
    assert roles == {"trial 0": "baseline", "trial 4": "best"}
    assert {strand.name for strand in chart.strands if strand.shade is None} == {"trial 2", "trial 3"}


def test_the_page_of_a_search_is_drawn_without_a_backend(folder: Path) -> None:
    code = (
        "import sys; from trimtab.reporting import report\n"
        f"report({str(folder)!r})\n"
        "assert not {'keras', 'tensorflow', 'optuna'}.intersection(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    page = (folder / "report.html").read_text().replace("\u00a0", " ")
    assert "90.0 % of 500 validation images right with the best of 6 settings" in page
    assert "What tuning found" in page
    assert "The search ended because its time was up; 1 of the trials was not finished" in page
    assert "<b>diverged" not in page
    assert "&lt;b&gt;diverged" in page
    for kind in ("history", "importance", "settings"):
        assert f"plots/tuning_{kind}_tuned.png" in page
        assert (folder / "plots" / f"tuning_{kind}_tuned.png").stat().st_size > 10_000


def test_a_search_that_has_nothing_yet_says_so(folder: Path) -> None:
    (folder / "tuning.json").unlink()
    data = collect(folder)
    assert (data.headline, data.complete) == ("No trial is finished yet.", False)
    TuningRecord(folder / "tuning.json", SPACE, ("accuracy",), 500).write(TRIALS[:1], "running", 1.0)
    assert [type(chart) for chart in charts(collect(folder))] == [Trials]


def test_a_damaged_record_is_one_line(folder: Path) -> None:
    (folder / "tuning.json").write_text('{"trials": [3]}')
    with pytest.raises(RunError, match="an object was needed") as refused:
        report(folder)
    assert "\n" not in str(refused.value)
