"""A run that removes channels and teaches a student: what its steps do, and what they leave behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import trimtab
from trimtab.pipeline import RunResult, parse_recipe

RECIPE: dict[str, Any] = {
    "name": "narrower",
    "data": {"source": "digits", "limit": 400},
    "steps": [
        {"name": "base", "do": "train", "model": {"filters": [16, 16], "dense": 16}, "epochs": 2},
        {
            "name": "less",
            "do": "prune_channels",
            "from": "base",
            "macs": "60%",
            "teacher": "itself",
            "epochs": 1,
        },
        {"name": "cut", "do": "prune_channels", "from": "base", "ratio": 0.5, "epochs": 0},
        {
            "name": "student",
            "do": "distill",
            "from": "base",
            "shrink": 0.5,
            "teacher": ["base", "less"],
            "features": [["conv_1", "conv_1"]],
            "augmentation": {"shift": 1},
            "views": 2,
            "epochs": 2,
        },
        {"name": "head", "do": "train", "from": "student", "trainable": "head", "epochs": 1},
        {"name": "best", "do": "select", "among": ["base", "less", "student"]},
        {"name": "less-int8", "do": "export", "from": "less", "scheme": "int8"},
    ],
    "benchmark": {"latency": False, "memory": False, "subjects": ["base", "less-int8"]},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return trimtab.run(parse_recipe(RECIPE), tmp_path_factory.mktemp("narrower") / "run")


def test_channels_are_removed_and_what_was_done_is_told(finished: RunResult) -> None:
    step, before = finished.steps["less"], finished.steps["base"]
    record = step["record"]
    assert (record["asked"], record["missed"], record["teacher"]) == ("macs=60%", [], "base")
    assert record["reached"] == record["macs"][1] == step["model"]["macs"] <= 0.6 * before["model"]["macs"]
    assert record["parameters"] == [before["model"]["parameters"], step["model"]["parameters"]]
    assert all(after <= had for _, had, after in record["groups"])
    assert any(after < had for _, had, after in record["groups"])
    assert [name for name, _ in record["skipped"]]  # the logits, at least
    assert 0 < record["val_accuracy"] <= 1
    assert record["epochs"] == 1
    assert step["files"]["history"] == "history.csv"


def test_the_groups_are_there_to_be_drawn(finished: RunResult) -> None:
    folder = finished.folder / "steps" / "less"
    groups = json.loads((folder / finished.steps["less"]["files"]["groups"]).read_text())
    assert groups["parameters"] == finished.steps["base"]["model"]["parameters"]
    names = {group["name"] for group in groups["groups"]}
    assert {name for name, _, _ in finished.steps["less"]["record"]["groups"]} <= names
    assert any(group["locked"] for group in groups["groups"])


def test_without_training_nothing_is_said_about_accuracy(finished: RunResult) -> None:
    record = finished.steps["cut"]["record"]
    assert "val_accuracy" not in record
    assert "history" not in finished.steps["cut"]["files"]
    assert record["reached"] == pytest.approx(0.5, abs=0.2)


def test_the_student_is_narrower_and_its_teachers_are_named(finished: RunResult) -> None:
    step, record = finished.steps["student"], finished.steps["student"]["record"]
    assert step["model"]["parameters"] < 0.5 * finished.steps["base"]["model"]["parameters"]
    assert [teacher["step"] for teacher in record["teachers"]] == ["base", "less"]
    assert all(0 < teacher["low"] <= teacher["accuracy"] <= 1 for teacher in record["teachers"])
    assert (record["temperature"], record["alpha"], record["cache"], record["views"]) == (4, 0.1, "views", 2)
    assert record["features"] == [["conv_1", "conv_1"]]
    assert record["epochs"] == 2


def test_only_the_head_learns(finished: RunResult) -> None:
    models = {
        name: trimtab.load_model(finished.folder / "steps" / name / "model.keras")
        for name in ("student", "head")
    }
    kernels = {
        name: {layer.name: layer.get_weights()[0] for layer in model.layers if layer.weights}
        for name, model in models.items()
    }
    same = {name for name in kernels["head"] if (kernels["head"][name] == kernels["student"][name]).all()}
    assert "conv_1" in same
    assert "logits" not in same


def test_where_weights_came_from_is_on_record(finished: RunResult) -> None:
    assert finished.steps["base"]["record"]["weights"]["kind"] == "random"
    assert "random" in finished.steps["base"]["record"]["weights_told"]
    assert "weights" not in finished.steps["head"]["record"]


def test_one_of_them_is_picked(finished: RunResult) -> None:
    assert set(finished.steps["best"]["record"]["candidates"]) == {"base", "less", "student"}


@pytest.mark.usefixtures("no_report")
def test_nothing_is_left_lying_about_or_done_twice(finished: RunResult, tmp_path: Path) -> None:
    assert not list((finished.folder / "steps").rglob("checkpoint*"))
    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    stages = [step["name"] for step in RECIPE["steps"]]
    assert trimtab.run(parse_recipe(RECIPE), folder, resume=True).reused == (*stages, "benchmark")
    outdated = parse_recipe(RECIPE, overrides=["steps.cut.ratio=0.25"])
    assert "cut" not in trimtab.run(outdated, folder, resume=True).reused


@pytest.mark.usefixtures("no_report")
def test_a_distillation_that_was_stopped_asks_its_teachers_no_more(
    finished: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on after the last epoch that was done, and ends with the same weights."""
    from trimtab.distillation._cached_logits import Answers
    from trimtab.training._callback import Bookkeeper

    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    student = folder / "steps" / "student"
    for path in student.iterdir():
        path.unlink()
    ended = Bookkeeper.on_epoch_end

    def stop(self: Bookkeeper, *words: Any, **more: Any) -> None:
        ended(self, *words, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bookkeeper, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            trimtab.run(parse_recipe(RECIPE), folder, resume=True)
    (checkpoint,) = student.glob("checkpoint-*.npz")
    assert list((student / checkpoint.stem).glob("teacher-*.npz"))
    monkeypatch.setattr(Answers, "_asked", None)
    again = trimtab.run(parse_recipe(RECIPE), folder, resume=True)
    assert again.steps["student"]["model"]["digest"] == finished.steps["student"]["model"]["digest"]
    assert not list(student.glob("checkpoint-*"))
