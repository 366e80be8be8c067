"""A run that scans a model, prunes it by what the scan found, and reports both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import trimtab
from trimtab.pipeline import RunResult

RECIPE: dict[str, Any] = {
    "name": "scanned",
    "data": {"source": "digits", "limit": 900},
    "steps": [
        {
            "name": "base",
            "do": "train",
            "model": {"architecture": "cnn", "filters": [8, 8], "dense": 16},
            "epochs": 5,
            "batch_size": 32,
            "learning_rate": 0.005,
        },
        {"name": "scan", "do": "sensitivity", "from": "base", "levels": [0.5, 0.75, 0.9], "images": 500},
        {
            "name": "pruned",
            "do": "prune",
            "from": "base",
            "targets": "scan",
            "sparsity": 0.7,
            "epochs": 2,
            "batch_size": 32,
        },
        {"name": "even", "do": "prune", "from": "base", "sparsity": 0.7, "epochs": 1, "batch_size": 32},
    ],
    "benchmark": {"latency": False, "memory": False},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the recipe lies, and where it is run."""
    folder = tmp_path_factory.mktemp("scanned")
    (folder / "scanned.yaml").write_text(yaml.safe_dump(RECIPE))
    return folder


@pytest.fixture(scope="module")
def done(place: Path) -> RunResult:
    return trimtab.run(place / "scanned.yaml", place / "run")


def test_the_scan_lies_in_its_folder(done: RunResult) -> None:
    from trimtab.pruning import Sensitivity

    folder = done.folder / "steps" / "scan"
    assert {path.name for path in folder.iterdir()} == {"result.json", "sensitivity.json"}
    found = Sensitivity.from_record(json.loads((folder / "sensitivity.json").read_text()))
    assert len(found.layers) == 4
    run = json.loads((done.folder / "run.json").read_text())
    assert found.images == run["data"]["sizes"]["validation"]  # all there are: fewer than asked for
    assert found.accuracy == pytest.approx(done.steps["base"]["record"]["val_accuracy"])
    assert {row["name"] for row in done.benchmark["rows"]} == {"base", "pruned", "even"}


def test_each_layer_goes_as_far_as_the_scan_says(done: RunResult) -> None:
    from trimtab.pruning import Sensitivity

    record = json.loads((done.folder / "steps" / "scan" / "sensitivity.json").read_text())
    targets = Sensitivity.from_record(record).targets(0.7)
    layers = done.steps["pruned"]["record"]["layers"]
    for layer in layers:
        assert layer["asked"] == pytest.approx(targets[layer["name"]])
        assert layer["zeros"] == pytest.approx(layer["size"] * targets[layer["name"]], abs=0.51)
    size = sum(layer["size"] for layer in layers)
    assert sum(layer["zeros"] for layer in layers) == pytest.approx(0.7 * size, abs=len(layers))
    shares = {round(layer["zeros"] / layer["size"], 2) for layer in layers}
    assert len(shares) > 2
    assert {round(layer["asked"], 6) for layer in done.steps["even"]["record"]["layers"]} == {0.7}


def test_the_report_shows_it(done: RunResult) -> None:
    assert (done.folder / "plots" / "sensitivity_scan.png").is_file()
    text = done.report.read_text()
    assert 'data-chart="sensitivity_scan"' in text
    assert "of pruned" in text


@pytest.mark.usefixtures("no_report")
def test_a_finished_run_is_not_scanned_again_and_a_new_scan_prunes_again(
    done: RunResult, place: Path
) -> None:
    again = trimtab.run(place / "scanned.yaml", done.folder, resume=True)
    assert {"base", "scan", "pruned", "even"} <= set(again.reused)
    before = again.steps["pruned"]["key"]
    changed = trimtab.run(
        place / "scanned.yaml", done.folder, resume=True, overrides=["steps.scan.levels=[0.5, 0.9]"]
    )
    assert "base" in changed.reused
    assert "even" in changed.reused
    assert not {"scan", "pruned"} & set(changed.reused)
    assert changed.steps["pruned"]["key"] != before
