"""The command line: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
COMMANDS = (
    *("compress", "run", "train", "tune", "distill", "prune", "prune-channels", "cluster"),
    *("quantize-aware", "channels", "sparsity", "sensitivity", "doctor", "export", "benchmark"),
    *("report", "data"),
)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_as_agreed(cli: Callable, command: str) -> None:
    """A change of the command line shows up here; if it is meant, write the new text into the golden file."""
    result = cli(*command.split(), "--help")
    assert result.code == 0
    assert result.out == (GOLDEN / f"help-{command or 'trimtab'}.txt").read_text()


def test_help_lists_every_command(cli: Callable) -> None:
    text = cli("--help").out
    assert all(f"\n  {command} " in text for command in COMMANDS)


def test_version(cli: Callable) -> None:
    import trimtab

    assert cli("--version").out == f"trimtab {trimtab.__version__}\n"


def test_built_in_recipes_are_listed(cli: Callable) -> None:
    assert "quickstart" in cli("run").out
    assert set(json.loads(cli("run", "--json").out)) >= {"quickstart", "fashion-mnist"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rn"], "No such command 'rn'. Did you mean 'run'?"),
        (["run", "quikstart"], "Did you mean 'quickstart'?"),
        (["run", "quickstart", "--set", "steps.pruned.sparsty=0.5"], "Did you mean 'sparsity'?"),
        (["run", "quickstart", "--sed", "1"], "No such option"),
        (["run", "quickstart", "--seed", "many"], "valid integer"),
        (["compress", "--max-size", "100KB"], "add --data"),
        (["compress", "--data", "digits"], "at least one limit"),
        (
            ["compress", "--data", "digits", "--max-size", "100 parsecs"],
            "--max-size='100 parsecs' is no amount",
        ),
        (["compress", "--data", "digits", "--max-latency", "2kB"], "'2ms'"),
        (["compress", "--data", "digits", "--min-accuracy", "91"], "Did you mean '91%'"),
        (
            ["compress", "--data", "digits", "--max-size", "9kB", "--max-download", "1MB"],
            "says nothing beside",
        ),
        (["compress", "--data", "digits", "--max-size", "9kB", "--minutes", "soon"], "is no time"),
        (
            ["compress", "--data", "digits", "--max-size", "9kB", "--jobs", "2", "--cluster", "a:1"],
            "one of them",
        ),
        (["compress", "--data", "digit", "--max-size", "9kB"], "Did you mean 'digits'?"),
        (["compress", "--resume", "nowhere"], "nowhere"),
        (["compress", "--resume", "nowhere", "--max-size", "9kB"], "Leave --max-size out"),
        (["train"], "Missing option"),
        (["train", "--data", "digits", "--out", "model.txt"], "ends in .keras"),
        (["train", "--data", "digits", "--size", "32"], "such as 32x32"),
        (["train", "--data", "digits", "--input-range", "1,0"], "such as 0,255"),
        (["train", "--data", "digits", "--set", "dense"], "key=value"),
        (["tune"], "Missing option"),
        (["tune", "--data", "digits", "--family", "cnnn"], "Did you mean 'cnn'?"),
        (["tune", "--data", "digits", "--small", "size"], "no objective 'size'"),
        (["tune", "--data", "digits", "--space", "no.yaml"], "does not exist"),
        (["report", "nowhere"], "nowhere"),
        (["benchmark", "a.tflite", "--data", "digits"], "does not exist"),
        (["benchmark", ".", "--data", "digits", "--baseline", "b.tflite"], "none of the files given"),
        (["export", "a.keras"], "does not exist"),
        (["prune", ".", "--data", "digits", "--sparsity", "1.5"], "sparsity"),
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(
    cli: Callable, words: list[str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli(*words)
    assert result.code == 2
    assert expected in result.err
    assert "Traceback" not in result.err
    assert len([line for line in result.err.splitlines() if line.startswith("Error")]) == 1
    assert list(tmp_path.iterdir()) == []


def test_usage_errors_come_without_a_backend() -> None:
    code = (
        "import sys\n"
        "from trimtab.cli import main\n"
        "sys.argv = ['trimtab', 'run', 'quickstart', '--set', 'steps.pruned.sparsty=1']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 2, stop.code\n"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_data_shows_counts_and_draws_a_sheet(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = cli("data", "digits").out
    assert "8x8 pixels, 1 channel" in text
    assert (tmp_path / "digits-samples.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads(cli("data", "digits", "--sheet", "sheet.png", "--json").out)
    assert record["image_shape"] == [8, 8, 1]
    assert sum(sum(part) for part in record["counts"].values()) == 1797
    assert (tmp_path / "sheet.png").exists()


def test_own_model_through_every_command(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train, prune, export, benchmark: each takes the file that the one before it wrote."""
    monkeypatch.chdir(tmp_path)
    common = ["--data", "digits", "--batch-size", 64, "--json"]
    trained = cli(
        "train", *common, "--set", "filters=[8,16]", "--set", "dense=16", "--epochs", 3, "--out", "a.keras"
    )
    assert trained.code == 0, trained.err
    assert len(json.loads(trained.out)["history"]["epochs"]) == 3
    pruned = cli("prune", "a.keras", *common, "--sparsity", 0.5, "--epochs", 2, "--out", "b.keras")
    assert pruned.code == 0, pruned.err
    assert all(layer["zeros"] >= layer["size"] // 2 for layer in json.loads(pruned.out)["layers"])
    for model in ("a", "b"):
        exported = cli("export", f"{model}.keras", "--scheme", "int8", "--data", "digits", "--json")
        assert exported.code == 0, exported.err
        assert json.loads(exported.out)["parity"]["passed"] is True
    files = ["a.keras", "a-int8.tflite", "b-int8.tflite"]
    measured = cli("benchmark", *files, "--data", "digits", "--limit", 50, "--behaviour", "--json")
    assert measured.code == 0, measured.err
    rows = {row["name"]: row["measurements"] for row in json.loads(measured.out)["rows"]}
    assert set(rows) == {"a.keras", "a-int8.tflite", "b-int8.tflite"}
    assert rows["b-int8.tflite"]["gzip_bytes"]["value"] < rows["a-int8.tflite"]["gzip_bytes"]["value"]
    behaviour = json.loads(measured.out)["behaviour"]
    assert behaviour["baseline"] == "a.keras"
    assert len(behaviour["rows"][1]["classes"]) == 10


def test_tables_for_people(cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--set", "filters=[4]", "--set", "dense=0", "--epochs", 1]
    assert "val. accuracy" in cli("train", "--data", "digits", *small, "--out", "a.keras").out
    assert "sparsity" in cli("prune", "a.keras", "--data", "digits", "--epochs", 1, "--out", "b.keras").out
    assert "same answer as the model" in cli("export", "b.keras", "--data", "digits", "--out", "b.tflite").out
    words = ["benchmark", "b.keras", "b.tflite", "--data", "digits", "--limit", 20]
    measured = cli(*words, "--behaviour").out
    assert "b.tflite (baseline)" in measured  # of the speed
    assert "b.keras (baseline)" in measured  # of the behaviour
    assert "b.tflite: no class changed by more than chance." in measured


def test_a_stopped_training_with_other_settings_begins_anew(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier attempt left behind neither blocks another training nor stays for good."""
    import trimtab.training._train as training

    monkeypatch.chdir(tmp_path)
    words = ["train", "--data", "digits", "--set", "filters=[4]", "--set", "dense=0", "--out", "a.keras"]

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "check_fits", stop)
        result = cli(*words, "--epochs", 2)
    assert result.code == 130
    assert "Stopped before the first epoch was done." in result.err
    (tmp_path / ".a.keras.0123456789ab.checkpoint.npz").write_bytes(b"left by another")
    assert cli(*words, "--epochs", 1).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras"]


def test_files_are_compared_with_files(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["--set", "filters=[4]", "--set", "dense=0", "--epochs", 1]
    cli("train", "--data", "digits", *small, "--out", "a.keras")
    cli("export", "a.keras", "--data", "digits")
    lines = cli("benchmark", "a.keras", "a-int8.tflite", "--data", "digits", "--limit", 20).out.splitlines()
    assert any("a-int8.tflite (baseline)" in line and "1.00x" in line for line in lines)
    assert any("a.keras" in line and line.rstrip(" │").endswith("-") for line in lines)
    assert max(map(len, lines)) <= 100
