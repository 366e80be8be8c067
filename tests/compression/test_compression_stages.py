"""The stages after the search, with workers that train nothing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trimtab.compression import Budget
from trimtab.compression import _stages as module
from trimtab.compression._beginning import Beginning
from trimtab.compression._candidate import Baseline, Candidate
from trimtab.compression._facts import Facts
from trimtab.compression._families import Ladder, families_for
from trimtab.compression._plan import Pace, Plan
from trimtab.compression._run_folder import CompressionFolder
from trimtab.compression._stages import Stages
from trimtab.compression._travelling_data import ARRAYS
from trimtab.compression._trials import Trained, Trial
from trimtab.progress import Silent
from trimtab.tuning import Ending

DATA: Any = SimpleNamespace(image_shape=(28, 28, 1), classes=10, train=range(54_000))


def trained(folder: Path, number: int, size: int = 9000, accuracy: float = 0.95) -> Trial:
    """A finalist with a model in its folder."""
    trial = Trial(number, Candidate(Baseline()), {}, "finalist", facts=Facts(1, size, size, size, 1))
    trial.rungs.append(Trained(-1, 5, 1.0, accuracy, 1.0, 1.0))
    model = folder / "trials" / trial.name / "model.keras"
    model.parent.mkdir(parents=True)
    model.write_text(f"weights of {number}")
    return trial


@pytest.fixture
def filed(shipping: Any, fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the stages after a search that is over; returns what the answer is told of its ending."""

    def run(stopped_after: int, trials: list[Trial] | None = None, **limits: Any) -> Ending:
        """Args: stopped_after: files that are made before somebody presses Ctrl-C."""
        (tmp_path / "baseline").mkdir()
        (tmp_path / "baseline" / "model.keras").write_text("weights")
        (tmp_path / "baseline" / "result.json").write_text(json.dumps({"val_accuracy": 0.95}))
        workers = shipping(tmp_path / "work", fakes.Clock(), count=1)
        wait = workers.wait

        def waited(timeout: float | None = None) -> Any:
            if len(workers.done) >= stopped_after:
                raise KeyboardInterrupt
            return wait(timeout)

        workers.wait = waited
        for name in ARRAYS:
            workers.share(name, None)
        trials = trials or [trained(tmp_path, 7), trained(tmp_path, 8)]
        search = SimpleNamespace(trials=trials, now=500.0)
        monkeypatch.setattr(module, "import_backend", lambda: None)
        monkeypatch.setattr(module, "open_workers", lambda *_: contextlib.nullcontext(workers))
        monkeypatch.setattr(module, "sent", lambda *_: {})
        monkeypatch.setattr(module, "begun", lambda *_: SimpleNamespace(reference={}))
        monkeypatch.setattr(Stages, "_search", lambda *_: (search, SimpleNamespace(seconds=0.0)))
        monkeypatch.setattr(Stages, "_driven", lambda *_: Ending("time", 500.0))
        monkeypatch.setattr(Stages, "_answer", lambda self, finishing, search, ending, limits: ending)
        plan = Plan(600, 54_000, 1, False)
        folder = CompressionFolder(tmp_path)
        budget = Budget(**(limits or {"max_size": "20kB"}))
        stages = Stages(folder, {}, None, DATA, budget, plan, 0, Silent())
        ending: Any = stages.run(1, None)
        return ending

    return run


def test_ctrl_c_before_the_baseline_has_a_file_ends_without_an_answer(filed: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        filed(stopped_after=0)


def test_ctrl_c_while_files_are_made_leaves_a_run_that_is_not_complete(filed: Any, tmp_path: Path) -> None:
    assert filed(stopped_after=2) == Ending("interrupted", 500.0)
    assert [path.name for path in (tmp_path / "finalists").iterdir()] == ["baseline-7"]


def test_all_files_are_made_where_nobody_stops_it(filed: Any) -> None:
    assert filed(stopped_after=9) == Ending("time", 500.0)


def test_the_smallest_that_keep_the_floor_get_their_files_first(filed: Any, tmp_path: Path) -> None:
    trials = [trained(tmp_path, 7, 30_000, 0.96), trained(tmp_path, 8, 5000, 0.945)]
    filed(stopped_after=2, trials=trials, max_drop=1)
    assert [path.name for path in (tmp_path / "finalists").iterdir()] == ["baseline-8"]


@pytest.mark.parametrize(("limits", "first"), [({"max_drop": 1}, 8), ({"max_size": "9kB"}, 7)])
def test_what_the_finals_seek_is_known_once_the_baseline_is_trained(
    fakes: Any, tmp_path: Path, limits: dict[str, Any], first: int
) -> None:
    plan, budget = Plan(600, 54_000, 2, True), Budget(**limits)
    stages = Stages(CompressionFolder(tmp_path), {}, None, DATA, budget, plan, 0, Silent())
    costs = {"bytes": 80_000, "gzip_bytes": 72_000, "memory_bytes": 27_000, "macs": 7e6}
    costs |= {"kernels": 76_000.0, "channels": 0.0}
    beginning = Beginning(None, [Ladder(families_for((28, 28, 1))[0], fakes.counts)], costs)
    workers: Any = SimpleNamespace()
    search, _ = stages._search(workers, {}, Pace(54_000), beginning, budget.limits(costs), None)
    large, small = trained(tmp_path, 7, 30_000, 0.95), trained(tmp_path, 8, 5000, 0.925)
    large.state = small.state = "waiting"
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "result.json").write_text(json.dumps({"val_accuracy": 0.93}))
    found = search._finals.next([large, small], 100.0)
    assert found is not None
    assert found[0].number == first
