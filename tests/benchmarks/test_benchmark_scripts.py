"""Every benchmark goes through the whole of itself; nothing is said about how fast it was.

Most of them train, and so wait for `make test-all`; that each can be imported is seen every time.
"""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Quick = Callable[..., dict[str, Any]]


def _check(record: dict[str, Any], name: str, rounds: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Checks what every record holds; gives its rows by group and name."""
    assert record["benchmark"] == name
    assert record["quick"] is True
    assert record["command"].startswith(f"python benchmarks/{name}.py --quick")
    assert tempfile.gettempdir() not in json.dumps(record)
    assert record["machine"]["cores"] >= 1
    assert record["versions"]["trimtab"]
    assert record["date"]
    assert record["commit"] is None or len(record["commit"]) == 40
    assert record["method"]
    rows = {(row["group"], row["name"]): row for row in record["rows"]}
    assert len(rows) == len(record["rows"]), "two rows of the same name"
    for row in rows.values():
        numbers = [row["value"], row["low"], row["high"], *row["samples"]]
        assert all(isinstance(number, float | int) and math.isfinite(number) for number in numbers)
        assert row["low"] <= row["value"] <= row["high"]
        assert min(row["samples"]) > 0
        if row["ratio"] is not None:
            other = rows[row["group"], row["ratio"]["to"]]
            assert len(row["samples"]) == len(other["samples"]) == rounds
    return rows


@pytest.mark.slow
def test_startup(quick: Quick) -> None:
    rows = _check(quick("startup"), "startup", rounds=2)
    limited = {name for (_, name), row in rows.items() if row["target"]}
    assert limited == {"trimtab --help", "trimtab run --help"}
    assert ("", "trimtab run --no-such-option") in rows
    assert ("", "trimtab run no-such-recipe") in rows
    assert ("", "trimtab report FOLDER") in rows


@pytest.mark.slow
def test_quickstart(quick: Quick) -> None:
    rows = _check(quick("quickstart"), "quickstart", rounds=1)
    assert rows["", "trimtab run quickstart"]["target"]["limit"] == 60
    stages = [name for group, name in rows if group == "of which"]
    assert stages[0] == "train baseline"
    assert stages[-2:] == ["benchmark", "start, data and report"]
    total = math.fsum(rows["of which", name]["value"] for name in stages)
    assert math.isclose(total, rows["", "trimtab run quickstart"]["value"])


def test_evaluation(quick: Quick) -> None:
    rows = _check(quick("evaluation"), "evaluation", rounds=2)
    assert len(rows) == 6
    assert all(group.startswith("digits, ") for group, _ in rows)


@pytest.mark.slow
def test_pruning_overhead(quick: Quick) -> None:
    record = quick("pruning_overhead", "--backends", "tensorflow,jax,no_such_backend")
    rows = _check(record, "pruning_overhead", rounds=2)
    pruned = [row for row in rows.values() if row["name"].startswith("Trimtab, update")]
    assert len(pruned) >= 4
    assert {row["group"].split(",")[0] for row in pruned} >= {
        "small CNN",
        "MobileNetV2 with half the channels",
    }
    assert all(row["ratio"]["to"] == "plain Keras" for row in pruned)
    assert all(row["target"] == {"limit": 1.03, "sense": "at most", "of": "ratio"} for row in pruned)
    masks = [row for row in rows.values() if row["group"].startswith("Choosing masks")]
    assert {row["name"] for row in masks} >= {
        "Trimtab, unstructured, all together",
        "Trimtab, 2:4, each layer",
    }
    assert all(
        row["target"] == {"limit": 0.4, "sense": "at most", "of": "value"} for row in masks if row["target"]
    )
    assert any("no_such_backend" in note for note in record["notes"])
    assert any("tf-keras" in note for note in record["notes"])


@pytest.mark.slow
def test_tfmot_parity(quick: Quick) -> None:
    record = quick("tfmot_parity", "--backends", "tensorflow,jax")
    rows = record["rows"]
    assert all(row["target"] is None or row["value"] <= row["target"]["limit"] for row in rows)
    assert len([row for row in rows if row["name"].startswith("masks that differ")]) == 2
    assert len([row for row in rows if "control, not pruned" in row["name"]]) == 2
    assert any("compares Trimtab with itself" in note for note in record["notes"])
    assert tempfile.gettempdir() not in json.dumps(record)


@pytest.mark.slow
def test_sparsity_curves(tmp_path: Path) -> None:
    words = [
        sys.executable,
        str(ROOT / "benchmarks" / "sparsity_curves.py"),
        "--out",
        str(tmp_path / "results"),
    ]
    subprocess.run([*words, "--quick"], capture_output=True, text=True, check=True)
    record = json.loads((tmp_path / "results" / "sparsity_curves.json").read_text())
    assert {curve["series"] for curve in record["curves"]} == set(record["plan"]["series"])
    for curve in record["curves"]:
        start, *others = curve["points"]
        assert start["sparsity"] < 0.01
        assert all(len(point["accuracies"]) == 2 for point in (start, *others))
        assert all(abs(point["sparsity"] - (point["asked"] or 0.5)) < 0.05 for point in others)
    pictures = tmp_path / "pictures" / "sparsity-curves"
    names = {picture["path"].split("/")[-1] for picture in record["pictures"]}
    assert {path.name for path in pictures.iterdir()} == names
    before = {path.name: path.read_bytes() for path in pictures.iterdir()}
    for path in pictures.iterdir():
        path.unlink()
    subprocess.run([*words, "--draw"], capture_output=True, text=True, check=True)
    assert {path.name: path.read_bytes() for path in pictures.iterdir()} == before


@pytest.mark.slow
def test_training_speed(quick: Quick) -> None:
    rows = _check(quick("training_speed"), "training_speed", rounds=2)
    assert {name for _, name in rows} == {"plain Keras 3", "trimtab.train"}
    assert any("ResNet-8" in group for group, _ in rows)


@pytest.mark.slow
def test_channel_families(quick: Quick) -> None:
    record = quick("channel_families")
    failed, difference, analysis = record["rows"]
    assert failed["value"] == 0
    assert difference["note"] == analysis["note"] == "MobileNet"
    assert difference["value"] <= difference["target"]["limit"] == 1e-5
    (table,) = record["tables"]
    assert len(table["headings"]) == len(table["rows"][0])


@pytest.mark.slow
def test_channel_pruning(quick: Quick) -> None:
    record = quick("channel_pruning")
    rows = _check(record, "channel_pruning", rounds=5)
    whole, half = record["nets"]["ResNet-8"]
    assert half["macs"] < 0.6 * whole["macs"]
    assert half["parameters"] < whole["parameters"]
    assert half["bytes"]["int8"] < whole["bytes"]["int8"] < whole["bytes"]["float32"]
    assert half["widths"]
    for kind in ("float", "int8"):
        group = f"ResNet-8, {kind}"
        speed_up = rows[group, "speed-up at 50 % of the MACs by 8"]
        assert speed_up["target"] == {"limit": 1.7, "sense": "at least", "of": "value"}
        taken = zip(
            rows[group, "whole"]["samples"], rows[group, "50 % of the MACs by 8"]["samples"], strict=True
        )
        ratios = [first / second for first, second in taken]
        assert speed_up["samples"] == pytest.approx(ratios)
        left = half["macs"] / whole["macs"]
        share = rows[group, "of what they promise, at 50 % of the MACs by 8"]["samples"]
        assert share == pytest.approx([ratio * left for ratio in ratios])
    (table,) = record["tables"]
    assert [line[:2] for line in table["rows"]] == [["ResNet-8", "whole"], ["ResNet-8", "50%"]]


@pytest.mark.slow
def test_criteria(quick: Quick) -> None:
    record = quick("criteria")
    assert tempfile.gettempdir() not in json.dumps(record)
    points = record["points"]
    assert [(point["seed"], point["criterion"]) for point in points] == [
        (0, name) for name in ("control", "l2", "random")
    ]
    whole = next(point for point in points if point["criterion"] == "control")
    for point in points:
        assert 0 <= point["accuracy"] <= 1
        if point["criterion"] != "control":
            assert point["macs"] == pytest.approx(0.5 * whole["macs"], rel=0.15)
    values = {row["name"]: row for row in record["rows"]}
    assert values["L2 norm"]["low"] is None  # one seed has no interval
    assert values["criteria ahead of random, of 1"]["target"]["limit"] == 1
    assert any("random" in note for note in record["notes"])


@pytest.mark.slow
def test_distillation(quick: Quick) -> None:
    record = quick("distillation")
    rows = _check(record, "distillation", rounds=2)
    limited = {name: row["ratio"]["to"] for (_, name), row in rows.items() if row["target"]}
    assert limited == {
        "cached logits, trimtab.distill": "student alone, trimtab.train",
        "stored views, augmented, trimtab.distill": "student alone, augmented, trimtab.train",
    }
    (group,) = {group for group, _ in rows}
    distiller = rows[group, "keras.distillation.Distiller"]
    assert distiller["ratio"]["to"] == "student alone, plain Keras"
    assert [point["role"] for point in record["points"]] == ["teacher", "alone", "taught"]
    assert [line[0] for line in record["tables"][0]["rows"]] == [
        "the teacher", "the student alone", "the student with its teacher"
    ]  # fmt: skip


@pytest.mark.slow
def test_recipes(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / "recipes.py"), "quickstart", "--quick"]
    done = subprocess.run(
        [*words, "--out", str(tmp_path / "results")], capture_output=True, text=True, check=True
    )
    assert "pruned-int8" in done.stdout
    record = json.loads((tmp_path / "results" / "recipe-quickstart.json").read_text())
    assert record["baseline"] == "baseline-float32"
    assert {row["name"] for row in record["rows"]} >= {"baseline", "pruned-int8"}
    page = (tmp_path / "results" / "recipe-quickstart.md").read_text()
    assert "| pruned-int8 |" in page
    assert "`trimtab run quickstart`" in page
    assert str(tmp_path) not in json.dumps(record)
    assert (tmp_path / "pictures" / "quickstart" / "confusion_matrix.png").is_file()


@pytest.mark.parametrize("script", sorted(path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py")))
def test_each_script_is_there_to_be_started(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location(f"started_{script}", ROOT / "benchmarks" / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    assert callable(module.main)
    assert module.__doc__
