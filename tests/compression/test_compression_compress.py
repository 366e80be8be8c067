"""Whole compressions of the digits, few candidates and short trainings: the answer, bad input, a kill."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import trimtab
from trimtab import Budget, litert
from trimtab.compression import _baseline_training, _stages
from trimtab.compression._plan import Plan, Rung
from trimtab.errors import ConfigError, DataError, ModelError, OutputError, RunError

# A search that is over by its candidates and not by a clock: trainings of few epochs, no quantize-aware ones.
SHORT = """
from trimtab.compression import _baseline_training, _stages
from trimtab.compression._plan import Plan, Rung
Plan.full_epochs = property(lambda self: 4)
Plan.first_rung = lambda self, *_: Rung(0, 1)
_stages._AWARE_SHARE = 0.0
_baseline_training._WIDTHS = (4,)
_baseline_training._LESSONS = _baseline_training._LESSONS[:1]
"""
BUDGET = Budget(max_size="9kB")


@contextlib.contextmanager
def short_searches() -> Iterator[None]:
    """Does in this process what `SHORT` does in another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "full_epochs", property(lambda self: 4))
        patch.setattr(Plan, "first_rung", lambda self, *_: Rung(0, 1))
        patch.setattr(_stages, "_AWARE_SHARE", 0.0)
        patch.setattr(_baseline_training, "_WIDTHS", (4,))
        patch.setattr(_baseline_training, "_LESSONS", _baseline_training._LESSONS[:1])
        yield


@pytest.fixture
def short() -> Iterator[None]:
    with short_searches():
        yield


@dataclass(frozen=True)
class Killed:
    """A compression without a model that was killed and then gone on with.

    Args:
        before: the records of its trials when it was killed, by the names of their folders.
        result: what it gave in the end.
    """

    before: dict[str, dict[str, Any]]
    result: Any


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, digits: Any) -> Killed:
    """A compression that was killed once a candidate was trained, and then gone on with; only read."""
    folder = tmp_path_factory.mktemp("compressed") / "run"
    code = SHORT + (
        "import trimtab\n"
        "trimtab.compress(None, trimtab.load_data('digits'), trimtab.Budget(max_size='9kB'), jobs=1,\n"
        f"                 out={str(folder)!r}, candidates=3)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while process.poll() is None and not any(record["rungs"] for record in _records(folder).values()):
        time.sleep(0.05)
    process.kill()
    process.wait()
    before = _records(folder)
    with short_searches():
        result = trimtab.compress(None, digits, BUDGET, out=folder, jobs=1, candidates=3, resume=True)
    return Killed(before, result)


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    """Reads the trials of a run."""
    found = sorted((folder / "trials").glob("*/result.json"))
    return {path.parent.name: json.loads(path.read_text()) for path in found}


@pytest.fixture(scope="module")
def compressed(killed: Killed) -> Any:
    return killed.result


def test_the_chosen_file_keeps_the_budget_and_is_the_best_of_the_front(compressed: Any, digits: Any) -> None:
    assert compressed.ending == "done"
    assert compressed.best is not None
    content = compressed.file.read_bytes()
    assert len(content) == compressed.best.bytes <= 9000
    fitting = [point for point in compressed.front if point.bytes <= 9000]
    assert compressed.best.val_accuracy == max(point.val_accuracy for point in fitting)
    scores = litert.LiteRTModel(content)(digits.test.inputs())
    measured = compressed.benchmark[compressed.best.name].measurements["accuracy"].value
    assert (scores.argmax(axis=1) == digits.test.labels).mean() == pytest.approx(measured)
    assert trimtab.load_model(compressed.folder / "best.keras").count_params() > 100
    assert compressed.answer.why in str(compressed)


def test_the_folder_holds_everything(compressed: Any) -> None:
    folder = compressed.folder
    for name in (
        "run.json",
        "front.json",
        "best.keras",
        "benchmark/result.json",
        "benchmark/predictions.npz",
        "benchmark/behaviour.json",
    ):
        assert (folder / name).is_file(), name
    run, front = (json.loads((folder / name).read_text()) for name in ("run.json", "front.json"))
    assert (run["kind"], run["status"], run["budget"]) == ("compress", "complete", {"max_size": "9kB"})
    assert front["chosen"] == compressed.best.name
    for point in front["points"]:
        assert (folder / point["file"]).stat().st_size == point["bytes"]
        assert (folder / point["model"]).is_file()
        assert point["chain"][-1]["technique"] in ("int8", "quantize-aware")
    trials = [json.loads(path.read_text()) for path in sorted((folder / "trials").glob("*/result.json"))]
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert all(trial["state"] in ("refused", "cut", "finalist") for trial in trials)
    assert all(trial["facts"]["bytes"] <= 9000 for trial in trials if trial["rungs"])


def test_a_finished_run_answers_again_without_training(
    compressed: Any, digits: Any, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was trained again")

    monkeypatch.setattr("trimtab.training.train", refuse)
    again = trimtab.compress(None, digits, BUDGET, out=compressed.folder, jobs=1, candidates=3, resume=True)
    assert again.answer.chosen == compressed.answer.chosen
    assert again.trials == compressed.trials


def test_another_budget_does_not_go_on_with_a_run(compressed: Any, digits: Any) -> None:
    with pytest.raises(RunError, match="begun with another budget"):
        trimtab.compress(None, digits, Budget(max_size="8kB"), out=compressed.folder, jobs=1, resume=True)
    with pytest.raises(RunError, match="holds a run already"):
        trimtab.compress(None, digits, Budget(max_size="9kB"), out=compressed.folder, jobs=1)


def test_a_budget_that_nobody_meets_names_the_nearest(
    tmp_path: Path, digits: Any, small_cnn: Any, short: None
) -> None:
    trimtab.train(small_cnn, digits, epochs=1)
    result = trimtab.compress(
        small_cnn, digits, Budget(max_size="1kB"), out=tmp_path / "run", jobs=1, candidates=4
    )
    assert result.best is None
    assert result.answer.binds == ("max_size",)
    assert "the limit on size stands in the way" in result.answer.why
    assert result.answer.misses[0].over["max_size"] > 1
    assert not (tmp_path / "run" / "best.tflite").exists()


def test_what_cannot_be_compressed_is_refused_before_anything_is_written(
    tmp_path: Path, digits: Any, small_cnn: Any
) -> None:
    other = trimtab.zoo.cnn((9, 9, 1), 10, filters=(4,), dense=0)
    empty = trimtab.ImageData(
        "empty", digits.train, digits.validation.take(slice(0, 0)), digits.test, digits.class_names, "", "x"
    )
    cases: list[tuple[Any, Any, Any, dict[str, Any], type[Exception]]] = [
        (other, digits, Budget(max_size="9kB"), {}, ModelError),
        (small_cnn, empty, Budget(max_size="9kB"), {}, DataError),
        (small_cnn, digits, "9kB", {}, ConfigError),
        (small_cnn, digits, Budget(max_size="9kB"), {"minutes": "soon"}, ConfigError),
        (small_cnn, digits, Budget(max_size="9kB"), {"jobs": 0}, ConfigError),
        (small_cnn, digits, Budget(max_size="9kB"), {"jobs": 1, "cluster": "x:1"}, ConfigError),
        (small_cnn, digits, Budget(max_size="9kB"), {"seed": -1}, ConfigError),
        (None, digits, Budget(max_size="9kB"), {"resume": True}, RunError),
    ]
    for model, data, budget, more, kind in cases:
        with pytest.raises(kind) as refused:
            trimtab.compress(model, data, budget, out=tmp_path / "run", **more)
        assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_in_mid_search_leaves_a_run_that_goes_on(
    tmp_path: Path, digits: Any, small_cnn: Any, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trimtab.train(small_cnn, digits, epochs=1)
    told: dict[str, Any] = {"out": tmp_path / "run", "jobs": 1, "candidates": 1}
    written = []

    def full(path: Path, record: Any) -> None:
        written.append(path)
        if len(written) == 2:
            raise OutputError(f"The disk is full: {path} was not written. Free some space and run again.")
        real(path, record)

    from trimtab.compression import _trials

    real = _trials.write_json
    monkeypatch.setattr(_trials, "write_json", full)
    with pytest.raises(OutputError, match="The disk is full"):
        trimtab.compress(small_cnn, digits, Budget(max_size="9kB"), **told)
    monkeypatch.setattr(_trials, "write_json", real)
    result = trimtab.compress(small_cnn, digits, Budget(max_size="9kB"), **told, resume=True)
    assert result.trials[0] == 1
    assert result.best is not None


def test_a_run_that_was_killed_loses_and_repeats_no_trial(killed: Killed) -> None:
    after = _records(killed.result.folder)
    assert any(record["rungs"] for record in killed.before.values())
    assert sorted(after) == ["0000", "0001", "0002"]
    for name, record in killed.before.items():
        assert after[name]["rungs"][: len(record["rungs"])] == record["rungs"]
        assert after[name]["candidate"] == record["candidate"]
    for record in after.values():
        trainings = [(rung["rung"], rung["seed"]) for rung in record["rungs"]]
        assert len(trainings) == len(set(trainings))
