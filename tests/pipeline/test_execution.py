"""Which stages a run does again, and which it does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import trimtab
from trimtab.pipeline import parse_recipe

RECIPE: dict[str, Any] = {
    "name": "tiny",
    "data": {"source": "digits", "limit": 300},
    "steps": [
        # A step may be called like a section of the recipe.
        {"name": "data", "do": "train", "model": {"filters": [4], "dense": 8}, "epochs": 1},
        {"name": "pruned", "do": "prune", "from": "data", "sparsity": 0.5, "epochs": 1},
        {"name": "file", "do": "export", "from": "data", "scheme": "float32"},
    ],
    "benchmark": {"latency": False, "memory": False},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    trimtab.run(parse_recipe(RECIPE), folder)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, no_report: None) -> Path:
    """A finished run of one's own to spoil."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def again(folder: Path, *overrides: str, **options: Any) -> tuple[str, ...]:
    return trimtab.run(parse_recipe(RECIPE, overrides=overrides), folder, resume=True, **options).reused


def test_nothing_changed_nothing_done(folder: Path) -> None:
    before = json.loads((folder / "run.json").read_text())
    assert again(folder) == ("data", "pruned", "file", "benchmark")
    after = json.loads((folder / "run.json").read_text())
    assert (after["finished"], after["seconds"]) == (before["finished"], before["seconds"])


def test_a_changed_step_takes_along_what_starts_from_it(folder: Path) -> None:
    assert again(folder, "steps.pruned.sparsity=0.6") == ("data", "file")
    assert again(folder, "steps.data.epochs=2") == ()


def test_a_note_changes_nothing(folder: Path) -> None:
    assert again(folder, "steps.pruned.note=in other words") == ("data", "pruned", "file", "benchmark")


def test_another_seed_changes_everything(folder: Path) -> None:
    assert again(folder, "seed=1") == ()


def test_another_machine_or_version_is_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import trimtab.benchmarking

    here = trimtab.benchmarking.machine()
    monkeypatch.setattr(trimtab.benchmarking, "machine", lambda: {**here, "cpu": "another"})
    assert again(folder) == ("data", "pruned", "file")
    now = trimtab.benchmarking.versions()
    monkeypatch.setattr(trimtab.benchmarking, "versions", lambda: {**now, "keras": "4.0"})
    assert again(folder) == ()


def test_a_lost_or_damaged_file_is_made_again(folder: Path) -> None:
    (folder / "steps" / "file" / "file.tflite").write_bytes(b"damaged")
    assert again(folder) == ("data", "pruned", "benchmark")
    (folder / "steps" / "data" / "result.json").write_text("{")
    assert again(folder) == ("pruned", "file", "benchmark")


def test_results_that_no_longer_hold_are_gone_before_anything_is_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report drawn in the middle of the second run must not show the first one's numbers."""
    import trimtab.pipeline.steps as steps

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "perform", stop)
    with pytest.raises(KeyboardInterrupt):
        again(folder, "seed=1")
    assert not list(folder.rglob("result.json"))


def test_a_run_is_continued_by_its_folder_alone(folder: Path) -> None:
    assert trimtab.run(folder).reused == ("data", "pruned", "file", "benchmark")


def test_data_paths_are_kept_whole(tmp_path: Path) -> None:
    from trimtab.pipeline import read_recipe
    from trimtab.pipeline._run import _changes

    long = tmp_path / ("a folder with: spaces in its name " * 4).strip() / "images.npz"
    assert read_recipe("quickstart", _changes(long, 3, ())).data.source == str(long)
    assert read_recipe("quickstart", _changes("mnist", None, ())).data.source == "mnist"
