"""Every built-in recipe from end to end, on the digits, made small; and what each one promises."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import pytest

import trimtab
from trimtab.pipeline import RunResult, builtin_recipes, read_recipe

NEEDS = {
    "cifar10-resnet50": {
        *("teacher", "teacher-float32", "teacher-int8", "pruned", "channel-pruned", "channel-pruned-int8"),
        *("student-alone", "student", "student-int8", "student-aware-int8", "student-pruned"),
        "student-pruned-int8",
    },
    "four-bit": {
        *("trained", "float32", "int8", "int4", "int4-mixed", "int4-trained", "shared-int8"),
    },
    "quickstart": {"pruned-int8", "baseline-int8", "baseline-float32"},
    "confusion-matrix": {"trained", "pruned"},
    "fashion-mnist": {
        "baseline",
        "wider",
        "deeper",
        "dropout",
        "pruned-int8",
        "best-int8",
        "baseline-float32",
    },
    "mnist-pruning-compare": {"baseline", "pruned", "baseline-float32", "pruned-float32", "pruned-int8"},
}


TINY = {"architecture": "cnn", "filters": [16, 16], "dense": 16}


def small(name: str) -> list[str]:
    """Overrides that make a recipe quick: one or two epochs, few filters, no clock."""
    scale = ["scale=small"] if name == "cifar10-resnet50" else []
    overrides = [*scale, "data.limit=600", "benchmark.latency=false", "benchmark.memory=false"]
    overrides.append("benchmark.batch=null")
    for step in read_recipe(name, scale).to_data()["steps"]:
        place, model = f"steps.{step['name']}", step.get("model")
        if "epochs" in step:
            overrides.append(f"{place}.epochs={1 if step['do'] == 'train' else 2}")
            overrides.append(f"{place}.batch_size=32")
        if model and model["architecture"] == "cnn":
            filters = [max(4, count // 8) for count in model["filters"]]
            overrides.append(f"{place}.model.filters={filters}")
        elif model:  # one that takes long to trace and to convert
            overrides.append(f"{place}.model={json.dumps(TINY)}")
        if isinstance(step.get("trainable"), list):
            overrides.append(f"{place}.trainable=[dense]")
    return overrides


@pytest.fixture(scope="module", params=sorted(builtin_recipes()))
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, RunResult]:
    name = request.param
    out = tmp_path_factory.mktemp(name) / "run"
    return name, trimtab.run(name, out, data="digits", overrides=small(name))


def test_every_recipe_is_known_here() -> None:
    assert set(NEEDS) == set(builtin_recipes())


def test_everything_promised_is_measured(finished: tuple[str, RunResult]) -> None:
    name, result = finished
    rows = {row["name"]: row["measurements"] for row in result.benchmark["rows"]}
    assert set(rows) >= NEEDS[name]
    for measurements in rows.values():
        assert (
            0
            <= measurements["accuracy"]["low"]
            <= measurements["accuracy"]["value"]
            <= measurements["accuracy"]["high"]
            <= 1
        )
        assert measurements["bytes"]["value"] > 0
        assert measurements["loss"]["value"] > 0


def test_the_folder_holds_the_report_and_its_pictures(finished: tuple[str, RunResult]) -> None:
    name, result = finished
    assert result.report.is_file()
    recipe = read_recipe(name)
    day = datetime.date.today().isoformat()
    matrix = (
        result.folder / "plots" / f"{recipe.report.project or recipe.name}_confusion_matrix_blues_{day}.png"
    )
    assert matrix.read_bytes().startswith(b"\x89PNG")
    assert len(list((result.folder / "plots").glob("*.png"))) >= 5
    assert json.loads((result.folder / "run.json").read_text())["status"] == "complete"


def test_models_load_without_trimtab_and_zeros_stay(finished: tuple[str, RunResult]) -> None:
    import keras

    name, result = finished
    if "pruned" not in result.steps:
        pytest.skip(f"{name} prunes nothing")
    model = keras.models.load_model(result.folder / "steps" / "pruned" / "model.keras")
    pruned = result.steps["pruned"]
    assert pruned["model"]["non_zeros"] < pruned["model"]["parameters"] * 0.6
    assert model.count_params() == pruned["model"]["parameters"]


def test_compressed_files_are_the_files(finished: tuple[str, RunResult]) -> None:
    _, result = finished
    compressed = [step for step in result.steps.values() if "compressed" in step["files"]]
    assert compressed
    for step in compressed:
        folder = result.folder / "steps" / step["name"]
        packed = (folder / step["files"]["compressed"]).read_bytes()
        assert gzip.decompress(packed) == (folder / step["files"]["artifact"]).read_bytes()


def test_the_best_is_chosen_by_validation(finished: tuple[str, RunResult]) -> None:
    name, result = finished
    if name != "fashion-mnist":
        pytest.skip("only this recipe selects")
    record = result.steps["best"]["record"]
    scores = {candidate: facts["val_accuracy"] for candidate, facts in record["candidates"].items()}
    assert set(scores) == {"baseline", "wider", "deeper", "dropout"}
    assert scores[record["selected"]] == max(scores.values())


def test_the_recipe_in_the_folder_does_the_same_again(
    finished: tuple[str, RunResult], tmp_path: Path
) -> None:
    name, result = finished
    if name != "quickstart":
        pytest.skip("one recipe is enough to see it")
    again = trimtab.run(result.folder / "recipe.yaml", tmp_path / "again")
    for mine, theirs in zip(again.benchmark["rows"], result.benchmark["rows"], strict=True):
        for key in ("accuracy", "loss", "bytes", "non_zeros"):
            assert mine["measurements"][key]["value"] == theirs["measurements"][key]["value"], (
                mine["name"],
                key,
            )
