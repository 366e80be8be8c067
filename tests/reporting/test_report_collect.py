"""Reading runs back: whole, unfinished, damaged and foreign ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from trimtab.errors import RunError
from trimtab.reporting import collect, result_rows
from trimtab.reporting._charts import charts
from trimtab.reporting._curves import curves
from trimtab.reporting._page import page


def test_whole_run(shared_run: Path) -> None:
    data = collect(shared_run)
    assert data.complete
    assert data.rows[0].name == data.baseline == "baseline"
    assert data.featured == "pruned-int8"
    assert data.row("pruned-int8").scheme == "int8"  # type: ignore[union-attr]
    assert data.row("pruned-int8").keras_bytes == 1_106_000  # type: ignore[union-attr]
    assert data.step("best").source == "deeper"  # type: ignore[union-attr]
    assert data.confusion is not None
    assert sum(map(sum, data.confusion.counts)) == 10_000
    assert data.mistakes is not None
    assert len(data.mistakes) == 32
    assert data.headline.startswith("pruned-int8 (int8 file): 91.")
    assert "4.2× smaller and 2.7× faster than the baseline's float file, and 2." in data.headline
    assert data.headline.endswith("points more accurate (p < 0.001).")


@pytest.mark.parametrize(
    ("difference", "p", "told"),
    [
        (-0.047, 1e-5, "float file, but 4.7 points less accurate (p < 0.001)."),
        (0.012, 0.02, "float file, and 1.2 points more accurate (p = 0.020)."),
        (-0.002, 0.4, "float file, with no measurable change in accuracy (−0.2 points, p = 0.40)."),
        (0.0, 1.0, "float file, at the same accuracy."),
    ],
)
def test_headline_tells_what_accuracy_it_costs(
    run_folder: Path, difference: float, p: float, told: str
) -> None:
    def change(result: dict) -> None:  # type: ignore[type-arg]
        measured = result["rows"][-1]["measurements"]
        measured["accuracy_difference"]["value"], measured["accuracy_p"]["value"] = difference, p

    _rewrite(change)(run_folder / "benchmark/result.json")
    assert collect(run_folder).headline.endswith(told)


def test_training_on_begins_where_the_model_was_kept(shared_run: Path) -> None:
    data = collect(shared_run)
    drawn = {line.name: line for line in curves(data, "accuracy").lines}  # type: ignore[union-attr]
    assert drawn["deeper"].epochs == tuple(range(1, 11))
    assert drawn["deeper"].best_epoch == 9
    assert drawn["pruned"].epochs == (9, 10, 11, 12, 13, 14)  # from the kept epoch of deeper, and five more
    assert drawn["pruned"].validation[0] == drawn["deeper"].validation[8]
    assert drawn["pruned"].kept == (13, drawn["pruned"].validation[4])


def test_confusion_agrees_with_accuracy(shared_run: Path) -> None:
    data = collect(shared_run)
    assert data.confusion is not None
    right = sum(data.confusion.counts[number][number] for number in range(10))
    assert right / 10_000 == pytest.approx(data.row("pruned-int8").value("accuracy"))  # type: ignore[union-attr]


@pytest.mark.parametrize("done", [0, 3, 7])
def test_unfinished_run_shows_what_is_there(tmp_path: Path, fake_run: ModuleType, done: int) -> None:
    folder = fake_run.write_run(tmp_path / "run", done=done)
    data = collect(folder)
    assert not data.complete
    assert f"{done} of 8 steps are done" in data.headline
    assert len(data.missing) == 9 - done
    text = page(data, charts(data))
    assert "This run is not finished" in text
    assert result_rows(data) == (["model"], [])


def test_optional_keys_may_be_missing(run_folder: Path) -> None:
    run = json.loads((run_folder / "run.json").read_text())
    for key in ("machine", "versions", "finished", "seconds", "command"):
        del run[key]
    (run_folder / "run.json").write_text(json.dumps(run))
    result = json.loads((run_folder / "benchmark/result.json").read_text())
    for row in result["rows"]:
        row["measurements"] = {
            "accuracy": {"value": row["measurements"]["accuracy"]["value"]},
            "macs": {"value": None},
        }
    del result["settings"]
    (run_folder / "benchmark/result.json").write_text(json.dumps(result))
    for name in ("predictions.npz", "mistakes.npz"):
        (run_folder / "benchmark" / name).unlink()
    (run_folder / "data/samples.png").unlink()
    (run_folder / "recipe.yaml").unlink()
    data = collect(run_folder)
    assert data.confusion is None
    assert data.mistakes is None
    assert "<h2>Results</h2>" in page(data, charts(data))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _rewrite(change: Callable[[dict], None]) -> Callable[[Path], None]:  # type: ignore[type-arg]
    def rewrite(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return rewrite


def _pickled(path: Path) -> None:
    np.savez(path, labels=np.array([{"a": 1}], dtype=object))


def _other_labels(path: Path) -> None:
    arrays = dict(np.load(path))
    arrays["labels"] = arrays["labels"] + 7
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("name", "damage", "told"),
    [
        ("run.json", Path.unlink, "holds no run"),
        ("run.json", _cut, "cannot be read"),
        ("run.json", lambda path: path.write_text("[1]"), "an object was needed"),
        ("run.json", lambda path: path.write_text("[" * 100_000), "cannot be read"),
        ("run.json", lambda path: path.write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        ("run.json", _rewrite(lambda run: run.update(format=9)), "has format 9"),
        ("run.json", _rewrite(lambda run: run.update(recipe="x")), "an object was needed"),
        (
            "run.json",
            _rewrite(lambda run: run["recipe"]["steps"][0].update(name="../../etc")),
            "outside the run folder",
        ),
        ("steps/baseline/result.json", _cut, "cannot be read"),
        (
            "steps/baseline/result.json",
            _rewrite(lambda result: result.update(seconds="soon")),
            "a number was needed",
        ),
        (
            "steps/baseline/result.json",
            _rewrite(lambda r: r["files"].update(summary="../../../x")),
            "outside the run folder",
        ),
        ("steps/baseline/history.csv", Path.unlink, "cannot be read"),
        ("steps/baseline/history.csv", lambda path: path.write_text("epoch,loss\n1,soon\n"), "not numbers"),
        ("benchmark/result.json", _rewrite(lambda result: result.update(rows=[3])), "an object was needed"),
        ("benchmark/predictions.npz", _cut, "cannot be read"),
        ("benchmark/predictions.npz", _pickled, "cannot be read"),
        ("benchmark/predictions.npz", _other_labels, "outside 0..9"),
        ("benchmark/mistakes.npz", lambda path: path.write_bytes(b""), "cannot be read"),
        ("benchmark/mistakes.npz", lambda path: np.savez(path, labels=np.zeros(1, int)), "lacks images"),
    ],
)
def test_damaged_run_is_one_clear_line(
    run_folder: Path, name: str, damage: Callable[[Path], None], told: str
) -> None:
    damage(run_folder / name)
    with pytest.raises(RunError, match=told) as caught:
        collect(run_folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        collect(tmp_path)
    with pytest.raises(RunError, match="there is no folder"):
        collect(tmp_path / "nowhere")


def test_no_backend_is_imported(shared_run: Path, tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(shared_run, tmp_path / "run")
    code = (
        "import sys\nimport trimtab.reporting\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'matplotlib', 'plotly'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        f"trimtab.reporting.report({str(folder)!r})\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'matplotlib.pyplot', 'ai_edge_litert'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
