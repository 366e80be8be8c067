"""The commands about integers and shared values: what they refuse, what they print, and how they end."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(folder: Path, small_cnn: Any) -> str:
    small_cnn.save("a.keras")
    return "a.keras"


AWARE = ("quantize-aware", "a.keras", "--data", "digits")
CLUSTER = ("cluster", "a.keras", "--data", "digits")
SCAN = ("sensitivity", "a.keras", "--data", "digits")
EXPORT = ("export", "a.keras", "--data", "digits")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*AWARE, "--weights-bits", 2), "--weights-bits: input should be 8 or 4"),
        ((*AWARE, "--ranges", "fixed"), "moving-average"),
        ((*AWARE, "--calibration", 5), "--calibration: input should be greater than or equal to 10"),
        ((*AWARE, "--calibration-method", "max"), "minmax"),
        ((*AWARE, "--percentile", 99.9), "--percentile belongs to --calibration-method percentile"),
        (
            (*AWARE, "--calibration-method", "percentile", "--percentile", 20),
            "--percentile: input should be greater than 50",
        ),
        ((*AWARE, "--freeze-ranges", 2), "--freeze-ranges: input should be less than or equal to 1"),
        ((*AWARE, "--alpha", 0.5), "--alpha is about a teacher; name one with --teacher"),
        ((*AWARE, "--teacher", "b.keras"), "there is no such file"),
        ((*AWARE, "--teacher", "itself", "--epochs", 0), "give --epochs, or leave it out"),
        ((*AWARE, "--out", "b.tflite"), "ends in .keras"),
        (AWARE[:2], "--data"),
        ((*CLUSTER, "--clusters", 1), "--clusters: input should be greater than or equal to 2"),
        ((*CLUSTER, "--clusters", 300), "--clusters: input should be less than or equal to 256"),
        ((*CLUSTER, "--init", "random"), "kmeans++"),
        ((*CLUSTER, "--per", "filter"), "channel"),
        ((*CLUSTER, "--out", "b.h5"), "ends in .keras"),
        ((*SCAN, "--scheme", "float16"), "int8"),
        ((*SCAN, "--max-drop", 0.01), "--max-drop is for a scan of quantization; say --scheme int8 or int4"),
        ((*SCAN, "--scheme", "int8", "--max-drop", 0.5), "--max-drop: a drop is a share of accuracy below"),
        ((*SCAN, "--scheme", "int8", "--levels", "0.5"), "--levels is for a scan of pruning"),
        ((*SCAN, "--scheme", "int8", "--type", "Dense"), "--type is for a scan of pruning"),
        ((*SCAN, "--scheme", "int8", "--sparsity", 0.5), "--sparsity is for a scan of pruning"),
        ((*SCAN, "--calibration-method", "mse"), "--calibration-method is for a scan of quantization"),
        ((*SCAN, "--scheme", "int8", "--out", "a.jpg"), "ends in .png"),
        ((*EXPORT, "--percentile", 99.9), "--percentile belongs to --calibration-method percentile"),
        ((*EXPORT, "--calibration", 0), "--calibration: input should be greater than or equal to 10"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_loaded(
    cli: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], expected: str
) -> None:
    def loads(*_: object, **__: object) -> None:
        raise AssertionError("something was loaded")

    for place in ("quantize_aware", "cluster", "sensitivity", "files"):
        module = importlib.import_module(f"trimtab.cli._{place}")
        monkeypatch.setattr(module, "import_backend", loads)
        monkeypatch.setattr(module, "load_images", loads)
    (folder / "a.keras").write_bytes(b"nothing reads this")
    result = cli(*words)
    assert result.code == 2
    assert expected in " ".join(result.err.split())
    assert "Traceback" not in result.err
    assert len([line for line in result.err.splitlines() if line.startswith("Error")]) == 1
    assert [path.name for path in folder.iterdir()] == ["a.keras"]


def test_from_zeros_and_shared_values_to_a_file_of_four_bits(cli: Callable, folder: Path, model: str) -> None:
    """Cluster, train for integers, export without images: each takes the file that the one before wrote."""
    import trimtab

    common = ["--data", "digits", "--limit", 400, "--epochs", 1]
    clustered = cli(
        "cluster", model, *common, "--clusters", 4, "--per", "layer", "--json", "--out", "b.keras"
    )
    assert clustered.code == 0, clustered.err
    record = json.loads(clustered.out)
    assert (record["model"], record["clusters"]) == ("b.keras", 4)
    assert all(row["clusters"] <= 4 for row in record["layers"])
    words = ["quantize-aware", "b.keras", *common, "--teacher", "itself", "--weights-bits", 4]
    words += ["--calibration", 50, "--out", "c.keras"]
    aware = cli(*words, "--json")
    assert aware.code == 0, aware.err
    record = json.loads(aware.out)
    assert (record["model"], record["weights_bits"], record["calibration_images"]) == ("c.keras", 4, 50)
    assert record["teacher"] == "itself"
    kernel = trimtab.load_model("c.keras").get_layer("conv_2").get_weights()[0]
    assert len(np.unique(kernel)) <= 4
    exported = cli("export", "c.keras", "--json")  # neither --data nor --scheme: the model knows
    assert exported.code == 0, exported.err
    record = json.loads(exported.out)
    assert (record["scheme"], record["calibration"]) == ("int4", None)
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".tflite") == ["c-int4.tflite"]


def test_tables_for_people(cli: Callable, folder: Path, model: str) -> None:
    common = ["--data", "digits", "--limit", 200]
    shown = cli("cluster", model, *common, "--epochs", 0, "--out", "b.keras")
    assert shown.code == 0, shown.err
    assert "bits a number" in shown.out
    assert "Model: b.keras" in shown.out
    shown = cli("quantize-aware", model, *common, "--epochs", 0, "--keep-float", "logits", "--out", "c.keras")
    assert "Next: trimtab export c.keras --scheme int8" in shown.out
    assert "logits stays float: kept float as asked" in shown.out
    shown = cli("sensitivity", model, *common, "--scheme", "int4", "--max-drop", 0.1)
    assert "all but it: SQNR dB" in shown.out
    assert "To lose at most 10 points" in shown.out or "No layer need be kept float" in shown.out
    lines = shown.out.splitlines()
    assert max(len(line) for line in lines if line.startswith(("│", "┃"))) <= 110


def test_layers_that_quantization_hurts_are_printed_for_machines(cli: Callable, model: str) -> None:
    from trimtab.quantization import QuantizationSensitivity

    words = ["sensitivity", model, "--data", "digits", "--limit", 200, "--scheme", "int8", "--json"]
    words += ["--out", "layers.png"]
    result = cli(*words, "--max-drop", 0, "--images", 20, "--calibration-method", "mse")
    assert result.code == 0, result.err
    record = json.loads(result.out)
    mixed, picture = record.pop("mixed"), record.pop("picture")
    assert (mixed["scheme"], mixed["max_drop"], picture) == ("int8", 0, "layers.png")
    assert Path("layers.png").read_bytes().startswith(b"\x89PNG")
    assert QuantizationSensitivity.from_record(record).images == 20


@pytest.mark.parametrize("command", ["cluster", "quantize-aware"])
def test_a_stopped_command_says_how_it_goes_on(
    cli: Callable, folder: Path, model: str, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    from trimtab.training._callback import Bookkeeper

    words = [command, model, "--data", "digits", "--limit", 200, "--epochs", 2, "--out", "b.keras"]
    ended = Bookkeeper.on_epoch_end

    def stop(self: Bookkeeper, *values: Any, **more: Any) -> None:
        ended(self, *values, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bookkeeper, "on_epoch_end", stop)
        result = cli(*words)
    assert result.code == 130
    assert "The same command goes on." in result.err
    assert list(folder.glob(".b.keras.*.checkpoint.npz"))
    result = cli(*words, "--json")
    assert result.code == 0, result.err
    assert len(json.loads(result.out)["history"]["epochs"]) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["a.keras", "b.keras"]
