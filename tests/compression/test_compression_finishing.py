"""Which trials become files, and which files of an earlier process still stand; with invented trainings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trimtab.compression import Budget
from trimtab.compression._brief import Brief
from trimtab.compression._candidate import Baseline, Candidate
from trimtab.compression._facts import Facts
from trimtab.compression._finishing import Finishing, worth_a_file
from trimtab.compression._plan import Plan
from trimtab.compression._travelling_data import ARRAYS
from trimtab.compression._trials import Trained, Trial
from trimtab.tuning import drive
from trimtab.workers import JobResult


@pytest.fixture
def brief(tmp_path: Path) -> Brief:
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "model.keras").write_text("the baseline's weights")
    return Brief(Budget(max_size="20kB"), (28, 28, 1), 10, 54_000, 0, Plan(600, 54_000, 2, False), tmp_path)


def trained(brief: Brief, number: int, weights: str) -> Trial:
    """A trial with these weights in its folder."""
    trial = Trial(number, Candidate(Baseline()), {}, "finalist")
    trial.rungs.append(Trained(-1, 5, 1.0, 0.95, 1.0, 1.0))
    folder = brief.folder / "trials" / trial.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.keras").write_text(weights)
    return trial


@pytest.fixture
def finished(shipping: Any, fakes: Any, brief: Brief) -> Callable[..., list[str]]:
    """Makes files of trials; returns the jobs that it took."""

    def made(trials: list[Trial], aware_epochs: int = 2) -> list[str]:
        workers = shipping(brief.folder / "work", fakes.Clock())
        for name in ARRAYS:
            workers.share(name, None)
        finishing = Finishing(brief, trials, {}, lambda seconds: aware_epochs)
        drive(finishing, workers)
        assert finishing.failures == {}
        return list(workers.done)

    return made


def test_a_file_whose_weights_are_the_same_is_not_made_again(finished: Any, brief: Brief) -> None:
    trials = [trained(brief, 7, "half trained"), trained(brief, 8, "trained")]
    assert finished(trials) == ["ship-baseline", "ship-baseline-7", "ship-baseline-8"]
    assert finished(trials) == []


def test_a_trial_that_became_better_gets_a_new_file(finished: Any, brief: Brief) -> None:
    finished([trained(brief, 7, "half trained"), trained(brief, 8, "trained")])
    again = [trained(brief, 7, "trained in full"), trained(brief, 8, "trained")]
    assert finished(again) == ["ship-baseline-7"]
    folder = brief.folder / "finalists" / "baseline-7"
    for name in ("model.keras", "model.tflite", "model.tflite.json"):
        assert (folder / name).read_text() == "trained in full"


def test_a_file_that_lost_accuracy_is_made_again_once_there_is_time_to_train_it(
    finished: Any, brief: Brief
) -> None:
    trials = [trained(brief, 7, "trained")]
    record = brief.folder / "finalists" / "baseline-7" / "result.json"
    finished(trials, aware_epochs=0)
    assert json.loads(record.read_text())["val_accuracy"] == 0.9
    assert finished(trials, aware_epochs=0) == []
    assert finished(trials, aware_epochs=2) == ["ship-baseline-7"]
    assert json.loads(record.read_text())["val_accuracy"] == 0.95
    assert finished(trials, aware_epochs=0) == []


def test_old_files_and_new_ones_do_not_mix_where_the_process_ends_between_them(
    finished: Any, fakes: Any, brief: Brief, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished([trained(brief, 7, "half trained")])
    again = [trained(brief, 7, "trained in full")]

    def killed(*_: Any) -> None:
        raise fakes.KilledError

    with monkeypatch.context() as patch:
        patch.setattr("trimtab.compression._finishing.keep_file", killed)
        with pytest.raises(fakes.KilledError):
            finished(again)
    assert not (brief.folder / "finalists" / "baseline-7" / "result.json").exists()
    assert finished(again) == ["ship-baseline-7"]


@pytest.mark.parametrize("key", ["answers-0a1b-none-0", "probe-0009", "train-0007-0", "baseline"])
def test_what_the_search_left_under_way_is_no_file(brief: Brief, tmp_path: Path, key: str) -> None:
    finishing = Finishing(brief, [trained(brief, 7, "trained")], {}, lambda seconds: 0)
    late = tmp_path / "late.tflite"
    late.write_bytes(b"file")
    for files in ({}, {"model.tflite": late}):
        assert not finishing.finished(JobResult(key, {}, files, tmp_path, "w", 1.0, cancelled=True))
    assert finishing.failures == {}
    assert not any(finishing.folder(name).exists() for name in finishing.names)
    assert not (brief.folder / "finalists").exists()


def judged(number: int, size: int, accuracy: float, state: str = "cut") -> Trial:
    """A trial whose file has so many bytes."""
    trial = Trial(number, Candidate(Baseline()), {}, state, facts=Facts(1, size, size, size, 1))
    trial.rungs.append(Trained(-1 if state == "finalist" else 0, 5, 1.0, accuracy, 1.0, 1.0))
    return trial


LARGE, MIDDLE = judged(1, 40_000, 0.95, "finalist"), judged(2, 20_000, 0.93, "finalist")
SMALL, POOR, TINY = judged(3, 9_000, 0.92), judged(4, 12_000, 0.915), judged(5, 4_000, 0.90)


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        (None, [LARGE, MIDDLE, SMALL, TINY]),  # the poor one is behind the small one in everything
        (0.91, [SMALL, MIDDLE, LARGE, POOR, TINY]),
        (0.94, [LARGE, MIDDLE, SMALL, TINY]),
        (0.99, [LARGE, MIDDLE, SMALL, TINY]),
    ],
)
def test_where_only_accuracy_is_limited_the_smallest_that_reach_it_come_first(
    wanted: float | None, order: list[Trial]
) -> None:
    trials = [TINY, LARGE, POOR, SMALL, MIDDLE, Trial(6, Candidate(Baseline()), {}, "refused")]
    assert worth_a_file(trials, 10, wanted) == order
    assert worth_a_file(trials, 2, wanted) == order[:2]
