"""A run that clusters, trains for integers and looks at layers: what its steps do, and what they leave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trimtab
from trimtab.pipeline import RunResult, parse_recipe
from trimtab.quantization import QuantizationSensitivity

RECIPE: dict[str, Any] = {
    "name": "integers",
    "data": {"source": "digits", "limit": 400},
    "steps": [
        {
            "name": "base",
            "do": "train",
            "model": {"filters": [8, 8], "dense": 0, "batch_norm": True},
            "epochs": 2,
            "batch_size": 32,
        },
        {"name": "pruned", "do": "prune", "from": "base", "sparsity": 0.5, "epochs": 1},
        {"name": "shared", "do": "cluster", "from": "pruned", "clusters": 8, "epochs": 1},
        {"name": "values", "do": "cluster", "from": "base", "clusters": 4, "types": ["Dense"], "epochs": 0},
        {
            "name": "aware",
            "do": "quantize_aware",
            "from": "shared",
            "teacher": "base",
            "calibration": 50,
            "epochs": 2,
        },
        {"name": "narrow", "do": "quantize_aware", "from": "base", "weights_bits": 4, "epochs": 0},
        {
            "name": "scan",
            "do": "sensitivity",
            "from": "base",
            "scheme": "int4",
            "max_drop": 0.0,
            "calibration": 50,
        },
        {"name": "looked", "do": "doctor", "from": "base", "scheme": "int8", "latency": False},
        {"name": "best", "do": "select", "among": ["base", "shared", "aware"]},
        {"name": "aware-int8", "do": "export", "from": "aware", "scheme": "int8"},
        {"name": "narrow-int4", "do": "export", "from": "narrow", "scheme": "int4"},
        {
            "name": "mixed-int4",
            "do": "export",
            "from": "base",
            "scheme": "int4",
            "keep_float_from": "scan",
            "calibration_method": "mse",
        },
    ],
    "benchmark": {"latency": False, "memory": False, "subjects": ["base", "aware", "aware-int8"]},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return trimtab.run(parse_recipe(RECIPE), tmp_path_factory.mktemp("integers") / "run")


def kernels(run: RunResult, step: str) -> dict[str, np.ndarray]:
    model = trimtab.load_model(run.folder / "steps" / step / "model.keras")
    return {layer.name: layer.get_weights()[0] for layer in model.layers if hasattr(layer, "kernel")}


def test_clustering_keeps_the_zeros_and_tells_what_it_shares(finished: RunResult) -> None:
    record, before, after = (
        finished.steps["shared"]["record"],
        kernels(finished, "pruned"),
        kernels(finished, "shared"),
    )
    for row in record["layers"]:
        kernel = after[row["name"]]
        assert len(np.unique(kernel)) == row["clusters"] <= 8
        assert row["zeros"] == (kernel == 0).sum() == (before[row["name"]] == 0).sum() > 0
    assert record["gzip_after"] < record["gzip_before"]
    assert (record["clusters"], record["per"], record["epochs"]) == (8, "layer", 1)
    assert 0 < record["val_accuracy"] <= 1


def test_without_training_nothing_is_said_about_accuracy(finished: RunResult) -> None:
    record = finished.steps["values"]["record"]
    assert [row["name"] for row in record["layers"]] == ["logits"]
    for step in ("values", "narrow"):
        assert "val_accuracy" not in finished.steps[step]["record"]
        assert "history" not in finished.steps[step]["files"]


def test_an_aware_model_keeps_zeros_and_shared_values(finished: RunResult) -> None:
    step = finished.steps["aware"]
    record = step["record"]
    assert (record["weights_bits"], record["teacher"], record["calibration_images"]) == (8, "base", 50)
    assert (record["epochs"], record["frozen_from"]) == (2, None)
    assert {"name", "layers", "low", "high", "step", "fixed"} == set(record["ranges"][0])
    assert step["files"]["history"] == "history.csv"
    assert any("go on sharing" in note for note in record["notes"])
    before, after = kernels(finished, "shared"), kernels(finished, "aware")
    np.testing.assert_array_equal(before["logits"] == 0, after["logits"] == 0)
    assert len(np.unique(after["logits"])) <= 8


def test_files_of_aware_models_are_not_calibrated(finished: RunResult) -> None:
    for step in ("aware-int8", "narrow-int4"):
        record = finished.steps[step]["record"]
        assert (record["calibration"], record["route"]) == (None, "fake-quantized")
        assert record["parity"]["passed"]


def test_layers_are_looked_at_and_the_fewest_kept_float(finished: RunResult) -> None:
    step = finished.steps["scan"]
    folder = finished.folder / "steps" / "scan"
    found = QuantizationSensitivity.from_record(
        json.loads((folder / step["files"]["quantization_scan"]).read_text())
    )
    assert (found.scheme, found.calibration) == ("int4", 50)
    assert {"conv_1", "conv_2", "logits"} <= {layer.name for layer in found.layers}
    assert "scan" not in step["files"]  # which is what pruning leaves
    mixed = step["record"]["mixed"]
    assert mixed["met"]
    assert mixed["max_drop"] == 0
    assert mixed["drop"] <= 0
    assert mixed["tried"][0]["keep_float"] == []
    exported = finished.steps["mixed-int4"]["record"]["calibration"]
    assert exported.get("keep_float", []) == mixed["keep_float"]
    assert exported["method"] == "mse"


def test_the_doctor_leaves_its_diagnosis(finished: RunResult) -> None:
    step = finished.steps["looked"]
    folder = finished.folder / "steps" / "looked"
    diagnosis = json.loads((folder / step["files"]["diagnosis"]).read_text())
    assert diagnosis["findings"] == step["record"]["findings"]
    assert diagnosis["parameters"] == finished.steps["base"]["model"]["parameters"]
    assert {row["scheme"] for row in diagnosis["forecasts"]} == {"float32", "int8"}


def test_an_aware_model_is_measured_as_its_file_is(finished: RunResult) -> None:
    rows = {row["name"]: row["measurements"] for row in finished.benchmark["rows"]}
    assert abs(rows["aware"]["accuracy"]["value"] - rows["aware-int8"]["accuracy"]["value"]) <= 0.01
    assert set(finished.steps["best"]["record"]["candidates"]) == {"base", "shared", "aware"}


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("name", ["shared", "aware"])
def test_a_training_that_was_stopped_goes_on(
    finished: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It goes on after the last epoch that was done, and ends with the same weights; the rest is reused."""
    from trimtab.training._callback import Bookkeeper

    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    for path in (folder / "steps" / name).iterdir():
        path.unlink()
    ended = Bookkeeper.on_epoch_end

    def stop(self: Bookkeeper, *words: Any, **more: Any) -> None:
        ended(self, *words, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bookkeeper, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            trimtab.run(parse_recipe(RECIPE), folder, resume=True)
    assert list((folder / "steps" / name).glob("checkpoint-*.npz"))
    again = trimtab.run(parse_recipe(RECIPE), folder, resume=True)
    assert again.steps[name]["model"]["digest"] == finished.steps[name]["model"]["digest"]
    assert set(again.reused) == {*(step["name"] for step in RECIPE["steps"]), "benchmark"} - {name}
    assert not list((folder / "steps").rglob("checkpoint*"))
