"""Rows, verdicts, tables and pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import _harness
import _results
import summary
from trimtab._records import to_plain


def _row(samples: list[float], **options: Any) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(_results.measured_row("row", samples, "s", **options))
    return plain


def test_a_row_is_the_median_and_the_ratio_that_of_pairs() -> None:
    row = _row([2.0, 4.0, 60.0], versus=("other", [1.0, 4.0, 20.0]))
    assert row["value"] == 4.0
    assert row["samples"] == [2.0, 4.0, 60.0]
    assert row["ratio"]["value"] == 2.0
    assert row["ratio"]["to"] == "other"


@pytest.mark.parametrize(
    ("samples", "target", "said"),
    [
        ([1.0, 1.0], None, ""),
        ([1.0, 1.1], _results.Target(2.0), "yes"),
        ([3.0, 3.1], _results.Target(2.0), "no"),
        ([1.0, 1.5, 3.0], _results.Target(2.0), "yes (the interval holds the limit)"),
        ([3.0, 3.1], _results.Target(2.0, "at least"), "yes"),
        ([3.0, 3.1], _results.Target(2.0, "at most", "ratio"), "not measured"),
    ],
)
def test_verdicts(samples: list[float], target: _results.Target | None, said: str) -> None:
    assert _results.verdict(_row(samples, target=target)) == said


def test_a_target_of_a_ratio() -> None:
    row = _row([1.0, 1.0], versus=("plain", [1.0, 1.0]), target=_results.Target(1.05, "at most", "ratio"))
    assert _results.verdict(row) == "yes"
    assert _results.target_text(row) == "at most 1.05x"
    assert _results.target_text(_row([1.0], target=_results.Target(0.3))) == "at most 0.3 s"


def test_the_page_comes_from_the_json_alone(tmp_path: Path) -> None:
    session = _harness.Session("startup", "Title", "Question?", argv=["--quick", "--out", str(tmp_path)])
    session.notes.append("A note.")
    session.peers["them"] = {"tf-keras": "2.21.0"}
    rows = [
        _results.measured_row("plain", [1.0, 2.0], "s", group="net"),
        _results.measured_row(
            "ours", [1.0, 1.0], "s", group="net", versus=("plain", [1.0, 2.0]), note="Odd."
        ),
    ]
    session.finish(rows, ["Carefully."])
    record = json.loads((tmp_path / "startup.json").read_text())
    page = _results.markdown(record)
    assert page == (tmp_path / "startup.md").read_text()
    for text in (
        "# Title",
        "Question?",
        "## net",
        "ours",
        "0.750x",
        "Odd.",
        "Carefully.",
        "A note.",
        "tf-keras 2.21.0",
    ):
        assert text in page
    assert "| target" not in page  # a column that says nothing is left out
    changed = {**record, "title": "Another"}
    assert _results.markdown(changed) != page


def test_what_was_counted_has_no_interval() -> None:
    rows: list[dict[str, Any]] = [
        to_plain(_results.count_row("masks that differ", count, target=_results.Target(0)))
        for count in (0, 2)
    ]
    assert [_results.verdict(row) for row in rows] == ["yes", "no"]
    assert [_results.value_text(row) for row in rows] == ["0", "2"]
    assert _results.target_text(rows[0]) == "at most 0"
    assert "interval" not in _results.table(rows)


def test_the_page_shows_tables_and_pictures_of_the_record(tmp_path: Path) -> None:
    session = _harness.Session("startup", "Title", "Question?", argv=["--quick", "--out", str(tmp_path)])
    table = {"title": "Every point", "headings": ["what", "accuracy"], "rows": [["blocks", "81 %"]]}
    picture = {"path": "../pictures/a.png", "alt": "curves"}
    rows = [_results.measured_row("thing", [1.0, 2.0], "%")]
    session.finish(rows, [], middle="mean", tables=[table], pictures=[picture])
    page = (tmp_path / "startup.md").read_text()
    for text in (
        "![curves](../pictures/a.png)",
        "## Every point",
        "| blocks | 81 % |",
        "mean [95 % interval]",
    ):
        assert text in page


def test_the_summary_lists_targets_and_what_is_missing(tmp_path: Path) -> None:
    assert "Nothing was measured yet." in summary.page(tmp_path)
    session = _harness.Session("startup", "Title", "Question?", argv=["--out", str(tmp_path)])
    session.finish([_results.measured_row("help", [0.2, 0.2], "s", target=_results.Target(0.3))], [])
    page = summary.page(tmp_path)
    assert "| [startup](startup.md) | help | 0.2 s [0.2, 0.2] | at most 0.3 s | yes |" in page
    assert "| quickstart |" in page
    assert summary.main(["--check", "--folder", str(tmp_path)]) == 1
    assert not (tmp_path / "README.md").exists()
    assert summary.main(["--folder", str(tmp_path)]) == 0
    assert summary.main(["--check", "--folder", str(tmp_path)]) == 0


def test_the_committed_pages_show_what_their_json_files_hold() -> None:
    assert summary.main(["--check"]) == 0


def test_every_script_has_its_line_in_the_summary() -> None:
    scripts = {path.stem for path in (_harness.ROOT / "benchmarks").glob("[!_]*.py")}
    assert scripts == {*summary.BENCHMARKS, "recipes", "summary"}
