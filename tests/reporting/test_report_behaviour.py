"""The behaviour section: what it shows for few and many classes, and what a damaged file does to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from trimtab.errors import RunError
from trimtab.reporting import collect, report
from trimtab.reporting._behaviour import shown_row
from trimtab.reporting._behaviour_chart import Dumbbells, Panels, Reliability
from trimtab.reporting._behaviour_charts import behaviour_charts
from trimtab.reporting._behaviour_section import behaviour_section
from trimtab.reporting._charts import charts
from trimtab.reporting._page import page
from trimtab.reporting._plotly import figure


@pytest.fixture(scope="module")
def behaved(
    tmp_path_factory: pytest.TempPathFactory, fake_run: ModuleType, fake_behaviour: ModuleType
) -> Path:
    """A fake run that lost the shirts, with its report drawn; tests only read it."""
    folder = fake_run.write_run(tmp_path_factory.mktemp("behaved") / "run")
    report(fake_behaviour.add_behaviour(folder, lost=6, gained=2))
    return Path(folder)


@pytest.fixture
def own(behaved: Path, tmp_path: Path) -> Path:
    """Such a run to damage."""
    return Path(shutil.copytree(behaved, tmp_path / "run"))


def of_kind(folder: Path, kind: type[Any]) -> Any:
    return next(chart for chart in behaviour_charts(collect(folder)) if isinstance(chart, kind))


def test_a_run_without_it_has_no_section(shared_run: Path) -> None:
    data = collect(shared_run)
    assert (data.behaviour, data.changed, behaviour_section(data)) == (None, None, None)
    assert behaviour_charts(data) == ()


def test_the_lost_class_stands_on_top_and_is_marked(behaved: Path) -> None:
    chart = of_kind(behaved, Dumbbells)
    first, last = chart.changes[0], chart.changes[-1]
    assert (first.label, first.strong, last.label, last.strong) == ("Shirt", True, "Pullover", True)
    assert (first.colour, last.colour) == ("#d55e00", "#009e73")
    assert not any(change.strong for change in chart.changes[1:-1])
    assert first.shown.startswith("−7")
    assert "The greatest loss: Shirt" in chart.alt


@pytest.mark.parametrize(("classes", "shown"), [(2, 2), (30, 30), (100, 30)])
def test_classes_from_2_to_100(
    classes: int, shown: int, tmp_path: Path, fake_run: ModuleType, fake_behaviour: ModuleType
) -> None:
    names = tuple(f"class {number}" for number in range(classes))
    folder = fake_behaviour.add_behaviour(fake_run.write_run(tmp_path / "run", classes=names), lost=1)
    chart = of_kind(folder, Dumbbells)
    assert len(chart.changes) == shown
    assert chart.changes[0].label == "class 1"
    assert ("of 100 classes" in chart.subtitle) == (classes > shown)
    differences = [round(change.after - change.before, 6) for change in chart.changes]
    assert differences == sorted(differences)
    section = behaviour_section(collect(folder))
    assert section is not None
    assert len(section["each"]) == classes


def test_reliability_has_a_line_for_each_row_and_begins_with_two(behaved: Path) -> None:
    chart = of_kind(behaved, Reliability)
    assert [(line.name, line.first) for line in chart.lines] == [
        ("baseline", True), ("pruned-int8", True), ("best-float", False),
    ]  # fmt: skip
    traces = figure(chart)["data"]
    assert [trace.get("visible", True) for trace in traces] == [True, True, True, "legendonly"]
    for line in chart.lines:
        assert 0.9 < sum(dot.share for dot in line.dots) <= 1 + 1e-9


def test_robustness_has_a_panel_for_each_kind_and_begins_unspoilt(behaved: Path) -> None:
    chart = of_kind(behaved, Panels)
    assert [panel.title for panel in chart.panels] == ["Noise", "Shift", "Brightness", "Contrast"]
    noise, shift, brightness, _ = chart.panels
    assert (noise.ticks, shift.ticks) == ((0, 0.04, 0.08, 0.16), (0, 1, 2, 4))
    assert brightness.ticks == (-0.2, -0.1, 0, 0.1, 0.2)
    unspoilt = {dot.y for panel in chart.panels for dot in panel.lines[0].dots if dot.x == 0}
    assert len(unspoilt) == 1
    drawn = figure(chart)
    assert {trace["xaxis"] for trace in drawn["data"]} == {"x", "x2", "x3", "x4"}
    assert sum(trace["showlegend"] for trace in drawn["data"]) == 3


def test_the_page_tells_each_verdict_and_every_class(behaved: Path) -> None:
    text = (behaved / "report.html").read_text()
    assert '<section id="behaviour">' in text
    assert "points on Shirt" in text
    assert "No class changed by more than chance" in text
    for name in ("class_changes", "reliability", "robustness", "changed_answers"):
        assert (behaved / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"plots/{name}.png" in text


def test_the_baseline_cannot_be_the_row_to_look_at(behaved: Path) -> None:
    result = collect(behaved).behaviour
    assert result is not None
    assert shown_row(result, "best-float").name == "best-float"
    assert shown_row(result, "baseline").name == "pruned-int8"
    assert shown_row(result, None).name == "pruned-int8"


def test_names_from_the_run_are_escaped(
    tmp_path: Path, fake_run: ModuleType, fake_behaviour: ModuleType
) -> None:
    names = ("<b>cat</b>", "$dog$")
    folder = fake_behaviour.add_behaviour(fake_run.write_run(tmp_path / "run", classes=names), lost=0)
    data = collect(folder)
    assert "<b>cat</b>" not in page(data, charts(data))


def without_errors(record: dict[str, Any]) -> None:
    del record["rows"][0]["calibration"]["error"]


def with_a_class_less(record: dict[str, Any]) -> None:
    record["rows"][1]["classes"].pop()


def without_baseline(record: dict[str, Any]) -> None:
    record["rows"].pop(0)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (without_errors, r"behaviour.json: This is no record of behaviour \(rows.0.calibration.error"),
        (with_a_class_less, r"behaviour.json is not of the 10 classes of this run"),
        (without_baseline, r"lacks its baseline"),
    ],
)
def test_a_damaged_record_is_one_clear_line(
    own: Path, damage: Callable[[dict[str, Any]], None], told: str
) -> None:
    path = own / "benchmark" / "behaviour.json"
    record = json.loads(path.read_text())
    damage(record)
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=told):
        collect(own)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"after": np.full(24, 10)}, r"class numbers outside 0..9"),
        ({"labels": np.zeros(3, np.int64)}, r"images of type uint8 and shape"),
        ({"before": None}, r"changed.npz lacks before"),
    ],
)
def test_damaged_images_are_one_clear_line(own: Path, change: dict[str, Any], told: str) -> None:
    path = own / "benchmark" / "changed.npz"
    with np.load(path) as archive:
        arrays = {**archive, **change}
    np.savez(path, **{key: each for key, each in arrays.items() if each is not None})
    with pytest.raises(RunError, match=told):
        collect(own)


def test_the_changed_answers_come_worst_first(behaved: Path) -> None:
    changed = collect(behaved).changed
    assert changed is not None
    assert (changed.row, len(changed)) == ("pruned-int8", 24)
    broken = changed.before == changed.labels
    assert broken.tolist() == [True] * 16 + [False] * 8
    assert (changed.after[~broken] == changed.labels[~broken]).all()
    assert (np.diff(changed.confidence[:16]) <= 0).all()


def test_charts_are_drawn_in_a_browser(behaved: Path, open_page: Callable[..., Any]) -> None:
    seen = open_page(behaved / "report.html", 390, "dark")
    assert [each for each in seen.get_log("browser") if each["level"] == "SEVERE"] == []
    for name in ("class_changes", "reliability", "robustness"):
        assert seen.execute_script(
            f"return document.querySelector('[data-chart={name}] .main-svg').clientWidth > 200"
        )
    colours = seen.execute_script(
        "return [...document.querySelectorAll('[data-chart=robustness] .xtick text, [data-chart=robustness] "
        ".x4tick text')].map((text) => getComputedStyle(text).fill)"
    )
    assert len(set(colours)) == 1  # every panel wears the page's colours
