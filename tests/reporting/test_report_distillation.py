"""Who taught whom, as the report tells it: with and without the teacher, and where its weights began."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trimtab.errors import RunError
from trimtab.reporting import collect
from trimtab.reporting._charts import charts
from trimtab.reporting._comparing import compared_with, control_of, teachers_of
from trimtab.reporting._curves import curves
from trimtab.reporting._data import Step
from trimtab.reporting._distillation import Distillation, distilled
from trimtab.reporting._distillation_section import distillation_sections
from trimtab.reporting._page import page
from trimtab.reporting._steps import first_weights
from trimtab.reporting._told import told


@pytest.fixture
def again(compressed: Path, tmp_path: Path) -> Path:
    """A copy of the run, to change."""
    return Path(shutil.copytree(compressed, tmp_path / "run"))


def changed(folder: Path, file: str, change: Callable[[dict[str, Any]], None]) -> Path:
    """Changes one record of a run."""
    record = json.loads((folder / file).read_text())
    change(record)
    (folder / file).write_text(json.dumps(record))
    return folder


def test_the_lesson_is_read_back(compressed: Path) -> None:
    step = collect(compressed).step("student")
    assert step is not None
    assert step.distillation is not None
    assert step.did == (
        "ds_cnn (filters 32, 64, 128), taught by teacher (temperature 4, 10 % labels, features too), 8 epochs"
    )
    lesson = step.distillation
    assert lesson.told_loss == "90 % the teacher's answers, 10 % labels"
    assert lesson.told_cache == (
        "asked for once about 4 changed versions of each image, 7.20 MB kept, 12 s to ask"
    )
    assert lesson.teachers[0].accuracy is not None
    assert lesson.teachers[0].accuracy.interval == (0.911, 0.928)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "taught by a teacher"),
        ({"teacher": "a"}, "taught by a"),
        ({"teacher": ["a", "b"], "temperature": 2.5}, "taught by a and b (temperature 2.5)"),
        ({"teacher": "a", "alpha": 0, "attention": [["x", "y"]]}, "taught by a (0 % labels, attention too)"),
    ],
)
def test_how_it_was_taught(config: dict[str, Any], expected: str) -> None:
    assert distilled(config) == expected


def test_how_answers_came() -> None:
    assert Distillation((), cache="off").told_cache == "asked anew for each batch"
    assert Distillation((), cache="logits", cache_bytes=4000).told_cache == "asked for once, 4.00 kB kept"
    assert Distillation(()).told_cache == ""
    assert Distillation(()).told_loss == ""


def test_what_a_step_begins_with_is_told() -> None:
    assert told("distill", "base", {"shrink": 0.5, "teacher": "base", "epochs": 2}, {}) == (
        "base with 50 % of its channels and new weights, taught by base, 2 epochs"
    )
    assert told("train", "head", {"trainable": ["conv5_*"]}, {}) == "head, trained, only conv5_*"
    model = {"architecture": "resnet50", "weights": "imagenet"}
    assert told("train", None, {"model": model, "trainable": "head"}, {}) == "resnet50, its head alone"
    assert told("train", None, {"model": {"architecture": "cnn"}, "trainable": 3}, {}) == (
        "cnn, its last 3 layers and the head"
    )
    assert told("train", "a", {"trainable": "all", "epochs": 1}, {}) == "a, trained, 1 epoch"


def test_a_twin_begins_alike_and_has_no_teacher(compressed: Path) -> None:
    steps = collect(compressed).steps
    student = next(step for step in steps if step.name == "student")
    twin = control_of(student, steps)
    assert twin is not None
    assert twin.name == "student-alone"
    assert [step.name for step in teachers_of(student, steps)] == ["teacher"]
    other = Step("student", "distill", None, config={"model": {"architecture": "cnn"}, "teacher": "teacher"})
    assert control_of(other, steps) is None
    assert control_of(twin, steps) is None


def test_students_are_compared_with_twin_and_teacher(compressed: Path) -> None:
    data = collect(compressed)
    against = {row.name: compared_with(row, data.rows, data.steps) for row in data.rows}
    names = {name: None if other is None else other.name for name, other in against.items()}
    assert names["student"] == "student-alone"
    assert names["student-float32"] == "teacher-float32"
    assert names["student-int8"] == "student-float32"
    assert names["channel-pruned-float32"] == "teacher-float32"


def test_the_verdict_says_what_the_teacher_was_worth(compressed: Path) -> None:
    rows = {row.name: row.verdict for row in collect(compressed).rows}
    assert rows["student"].startswith(
        "its teacher gave it 1.7 points of accuracy (p < 0.001), against student-"
    )
    assert (
        "against teacher: less accurate by 2.9 points (p < 0.001), 6.6× fewer parameters" in rows["student"]
    )
    assert rows["student-float32"].startswith(
        "the student: 6.4× smaller and 4.4× faster than teacher-float32"
    )
    assert rows["teacher"].endswith("its weights began pretrained on ImageNet (keras.applications)")
    assert "began" not in rows["student-alone"]


def test_a_file_beside_another_model_is_no_merit_of_the_integers_alone(again: Path) -> None:
    def without_files(result: dict[str, Any]) -> None:
        gone = ("student-float32", "teacher-int8")
        result["rows"] = [row for row in result["rows"] if row["name"] not in gone]

    row = collect(changed(again, "benchmark/result.json", without_files)).row("student-int8")
    assert row is not None
    assert row.verdict.startswith("the student, in 8-bit integers throughout: 19.1× smaller and 10.0× faster")


def test_a_teacher_that_made_no_difference_is_said_plainly(again: Path) -> None:
    import numpy as np

    path = again / "benchmark/predictions.npz"
    arrays = dict(np.load(path))
    arrays["student.classes"] = arrays["student-alone.classes"]
    np.savez(path, **arrays)
    row = collect(again).row("student")
    assert row is not None
    assert row.verdict.startswith("its teacher made no measurable difference")


def test_without_a_twin_nothing_is_claimed(again: Path) -> None:
    changed(again, "run.json", lambda run: run["recipe"]["steps"].pop(3))
    data = collect(again)
    row = data.row("student")
    assert row is not None
    assert "what that was worth is not known" in row.verdict
    assert "gave" not in row.verdict
    assert "cannot be told from this run" in page(data, charts(data))


def test_the_page_compares_with_and_without(compressed: Path) -> None:
    text = (compressed / "report.html").read_text()
    section = text[text.index('<section id="distillation"') : text.index('<section id="comparison"')]
    for part in (
        "its twin, without",
        "student, with its teacher",
        "+1.7",
        "−2.9",
        "Temperature",
        "block_3 like the teacher&#39;s conv5_out",
        "its weights, by way of teacher-head, began pretrained on ImageNet (keras.applications)",
    ):
        assert part in section, part
    assert '<a href="#distillation">' in text
    assert "The training loss of a student is that of its distillation" in text
    assert "starting weights" in text


def test_weights_go_back_to_where_they_began(compressed: Path) -> None:
    steps = collect(compressed).steps
    assert first_weights(steps, "teacher") == (
        "teacher-head",
        "pretrained on ImageNet (keras.applications)",
    )
    assert first_weights(steps, "channel-pruned")[0] == "teacher-head"
    assert first_weights(steps, "nobody") == ("", "")
    narrower = Step("narrow", "train", "teacher", config={"shrink": 0.5})
    assert first_weights((*steps, narrower), "narrow") == ("", "")


def test_a_narrower_copy_begins_its_curve_anew(again: Path) -> None:
    def narrow(run: dict[str, Any]) -> None:
        run["recipe"]["steps"][4] |= {"from": "teacher", "shrink": 0.5, "model": None}

    changed(again, "run.json", narrow)
    drawn = curves(collect(again), "accuracy")
    assert drawn is not None
    first = {line.name: line.epochs[0] for line in drawn.lines}
    assert first["student"] == 1
    assert first["teacher"] == 3  # where its head was kept


def test_an_unfinished_student_is_told(again: Path) -> None:
    (again / "steps/student/result.json").unlink()
    data = collect(again)
    assert distillation_sections(data) == []
    step = data.step("student")
    assert step is not None
    assert "taught by teacher" in step.did


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["record"].update(teachers="teacher"),
        lambda it: it["record"].update(features=["block_3"]),
        lambda it: it["record"].update(temperature="hot"),
        lambda it: it["record"]["teachers"][0].update(accuracy="good"),
    ],
)
def test_a_damaged_record_is_one_clear_line(again: Path, change: Callable[[dict[str, Any]], None]) -> None:
    changed(again, "steps/student/result.json", change)
    with pytest.raises(RunError, match=r"result\.json.* was needed"):
        collect(again)
