"""The logic of the search, with workers that train nothing: what is trained, for how long, and after "
"a kill."""

from __future__ import annotations

import collections
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trimtab.compression import Budget
from trimtab.compression._baseline_training import BaselineTraining, read_baseline
from trimtab.compression._brief import Brief
from trimtab.compression._candidate import Baseline, Candidate
from trimtab.compression._families import Ladder, families_for
from trimtab.compression._finals import Finals
from trimtab.compression._plan import Pace, Plan, Rung
from trimtab.compression._probing import Probing
from trimtab.compression._proposals import Proposals
from trimtab.compression._run_folder import CompressionFolder
from trimtab.compression._search import FINAL, CompressionSearch, _Doing, cut_short, untrained
from trimtab.compression._stages import again
from trimtab.compression._teaching import Teaching
from trimtab.compression._trials import Trained, Trial, TrialFolder
from trimtab.tuning import drive, open_study
from trimtab.workers import JobResult

SHAPE = (28, 28, 1)
DATA = {"name": "invented"}
BASELINE = {"bytes": 80_000, "gzip_bytes": 72_000, "memory_bytes": 27_000, "macs": 7e6}
BASELINE |= {"kernels": 76_000.0, "channels": 0.0}


@contextlib.contextmanager
def invented_time(fakes: Any) -> Iterator[Any]:
    """Lets the driver's clock be an invented one."""
    clock = fakes.Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trimtab.tuning._drive.time", type("Time", (), {"monotonic": staticmethod(clock)}))
        yield clock


@pytest.fixture
def clock(fakes: Any) -> Iterator[Any]:
    with invented_time(fakes) as clock:
        yield clock


def searched(
    fakes: Any, folder: Path, clock: Any, seconds: float = 600.0, *, given: bool = False, kill_after: int |
        None = None,
    budget: Budget | None = None, count: int = 2, lasting: dict[str, float] | None = None,
) -> tuple[CompressionSearch, Any, Any]:  # fmt: skip
    """Runs a search, or goes on with it, in a folder."""
    budget = budget or Budget(max_size="20kB")
    plan = Plan(seconds, 54_000, count, not given)
    brief = Brief(budget, SHAPE, 10, 54_000, 0, plan, folder)
    workers = fakes.FakeWorkers(folder / "work", clock, count, kill_after=kill_after, lasting=lasting or {})
    for name in ("train.images", "train.labels", "validation.images", "validation.labels"):
        workers.share(name, None)
    ladders = [Ladder(family, fakes.counts) for family in families_for(SHAPE)[:3]]
    limits, pace, run = budget.limits(BASELINE), Pace(54_000), CompressionFolder(folder)
    if given and read_baseline(brief.baseline) is None:
        brief.baseline.mkdir(parents=True)
        (brief.baseline / "model.keras").write_text("30")
        (brief.baseline / "result.json").write_text(json.dumps({"val_accuracy": 0.93}))
    record = read_baseline(brief.baseline)
    baseline = None if record else BaselineTraining(brief, ladders, pace, DATA)
    proposals = Proposals(ladders, limits, BASELINE, narrowing=True, whole=limits.keeps(BASELINE))
    study = open_study(folder / "study", proposals.space, directions=("maximize", "minimize", "minimize"))
    if not study.trials:
        for setting in proposals.first():
            study.enqueue(setting)
    trials = TrialFolder(folder / "trials")
    known = [again(trial) for trial in trials.read()]
    probing = Probing(brief, study, proposals, limits, DATA, trials, None, known)
    teaching = Teaching(brief, workers, DATA)  # type: ignore[arg-type]
    if record is not None:
        teaching.learn_from(brief.baseline / "model.keras", "baseline", record["val_accuracy"])
    search = CompressionSearch(
        brief, study, probing, teaching, Finals(plan, pace), pace, DATA, baseline=baseline,
        rungs=run.rungs(), decided=run.decided, spent=study.seconds, clock=clock,
    )  # fmt: skip
    ending = drive(search, workers, seconds=plan.training_ends, spent=study.seconds)  # type: ignore[arg-type]
    search.wind_up(workers)  # type: ignore[arg-type]
    search.conclude()
    return search, workers, ending


@pytest.fixture(scope="module")
def done(fakes: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[CompressionSearch, Any, Any]:
    """A whole search that trained its baseline; tests only read it."""
    with invented_time(fakes) as clock:
        return searched(fakes, tmp_path_factory.mktemp("searched"), clock)


def test_nothing_that_does_not_fit_is_trained(done: Any) -> None:
    _, workers, _ = done
    trained = [(key, facts) for key, facts in workers.trained if not key.startswith("baseline")]
    assert len(trained) > 8
    assert all(facts["bytes"] <= 20_000 for _, facts in trained)


def test_the_search_ends_in_time_and_uses_it(done: Any) -> None:
    search, _, ending = done
    assert ending.why in ("done", "time")
    plan = search._brief.plan
    assert 0.8 * plan.training_ends <= search.now <= plan.training_ends + 30


def test_few_go_on_and_the_best_are_trained_in_full(done: Any) -> None:
    search, _, _ = done
    rungs = collections.Counter(trial.rung for trial in search.trials if trial.rungs)
    finalists = [trial for trial in search.trials if trial.state == "finalist"]
    assert len(finalists) >= 2
    assert sum(rungs.values()) > len(finalists)
    best = max(search.trials, key=lambda trial: trial.accuracy)
    assert best in finalists
    passes = [trial.passes for trial in search.trials if trial.state == "cut" and trial.rungs]
    assert min(trial.passes for trial in finalists) > max(passes)


def test_the_best_finalists_are_trained_from_other_seeds_too(fakes: Any, tmp_path: Path, clock: Any) -> None:
    search, workers, _ = searched(fakes, tmp_path, clock, 5000.0, given=True)
    finalists = [trial for trial in search.trials if trial.state == "finalist"]
    repeated = [trial for trial in finalists if trial.repeats]
    assert repeated, "there is time for one"
    assert not any(trial.repeats for trial in search.trials if trial.state != "finalist")
    for trial in repeated:
        assert [seed for seed, _ in trial.spread] == [trial.seed, *range(1, len(trial.repeats) + 1)]
        own = sum(rung.passes for rung in trial.rungs if rung.seed is None)
        for rung in trial.repeats:
            assert 0.8 * own - 1 <= rung.passes <= own, "as long as the other, to be compared with it"
            assert f"final-{trial.name}-{rung.seed}" in workers.done
    order = [key.count("-") > 1 for key in workers.begun if key.startswith("final-")]
    assert not any(order[:2]), "as many as there are workers come first"
    assert sum(order) <= len(order) / 2, "every second one at most"
    assert all(not trial.begun for trial in search.trials)


def test_asking_the_teacher_takes_no_finalist_away(fakes: Any, tmp_path: Path, clock: Any) -> None:
    slow = {"answer": 40.0}  # the driver asks what is next every second meanwhile
    search, workers, _ = searched(fakes, tmp_path, clock, 1200.0, given=True, count=1, lasting=slow)
    finals = [key for key in workers.begun if key.startswith("final-")]
    waiting = [trial for trial in search.trials if trial.rungs and trial.at_rung(0) is not None]
    best = max(
        waiting, key=lambda trial: (len([r for r in trial.rungs if r.rung >= 0]), trial.rungs[0].val_accuracy)
    )
    assert finals[0] == f"final-{best.name}"
    assert len(search._finals._chosen) == len({key.split("-")[1] for key in finals})


def test_promotions_go_on_after_the_last_round_is_full(fakes: Any, tmp_path: Path, clock: Any) -> None:
    search, _, _ = searched(fakes, tmp_path, clock, 20.0, given=True)
    lesson = next(trial.candidate.lesson for trial in search.trials)
    search.trials.clear()
    for number in range(15):
        trial = Trial(number, Candidate(Baseline(), lesson), {}, "waiting")
        rungs = (0, 1) if number < 3 else (0,)
        trial.rungs += [Trained(rung, 4, 1.0, 0.8 + 0.01 * (rung - number), 1.0, 1.0) for rung in rungs]
        search.trials.append(trial)
    search._rungs[:] = [Rung(0, 4), Rung(1, 12)]  # after twelve epochs of 37 only a full training is left
    job = search._promotion()
    assert job is not None, "five of fifteen may go on, and three did"
    assert job.key == "train-0003-1"


@pytest.mark.parametrize(
    ("epochs", "cancelled", "whole"), [(3, True, False), (33, True, True), (40, False, True)]
)
def test_a_training_that_was_stopped_early_is_no_finalist(epochs: int, cancelled: bool, whole: bool) -> None:
    doing = _Doing(Trial(0, Candidate(Baseline()), {}), FINAL, epochs=40)
    record = {"epochs": epochs, "val_accuracy": 0.9}
    result = JobResult("final-0000", record, {}, Path(), "fake", 1.0, cancelled=cancelled)
    assert cut_short(doing, result) == (not whole)
    trained = Trained(FINAL, epochs, 1.0, 0.9, 1.0, 1.0, whole=whole)
    trial = Trial(0, Candidate(Baseline()), {}, rungs=[Trained(0, 2, 1.0, 0.8, 1.0, 1.0), trained])
    assert (trial.at_rung(FINAL) is not None) == whole
    assert untrained(trial) == "waiting"
    assert untrained(Trial(0, Candidate(Baseline()), {}, rungs=[replace(trained, whole=False)])) == "ready"


def test_of_equal_seeds_the_last_is_told_since_its_weights_are_kept() -> None:
    trial = Trial(3, Candidate(Baseline()), {}, "finalist")
    trial.rungs += [Trained(-1, 5, 1.0, 0.95, 1.0, 1.0), Trained(-1, 6, 1.0, 0.95, 1.0, 1.0, seed=2)]
    assert [rung.seed for rung in trial.lineage] == [2]


def test_what_was_under_way_in_a_kill_is_gone_on_with(fakes: Any, tmp_path: Path, clock: Any) -> None:
    whole, workers, _ = searched(fakes, tmp_path / "whole", clock, given=True)
    before = next(place for place, key in enumerate(workers.done) if key.startswith("final-"))
    with invented_time(fakes) as again_clock, pytest.raises(fakes.KilledError):
        searched(fakes, tmp_path / "killed", again_clock, given=True, kill_after=before)
    begun = {
        path.parent.name: json.loads(path.read_text())["begun"]
        for path in (tmp_path / "killed" / "trials").glob("*/result.json")
    }
    assert any(begun.values())
    with invented_time(fakes) as again_clock:
        search, workers, _ = searched(fakes, tmp_path / "killed", again_clock, given=True)
    for name, told in begun.items():
        for each in told:
            trial = next(trial for trial in search.trials if trial.name == name)
            done = [rung for rung in trial.rungs if rung.rung == FINAL]
            assert [(rung.epochs, rung.share) for rung in done][:1] == [(each["epochs"], each["share"])]
    assert whole.trials


def test_a_baseline_that_was_stopped_is_none_and_goes_on_as_it_began(
    fakes: Any, tmp_path: Path, clock: Any
) -> None:
    plan = Plan(600.0, 54_000, 2, trains_baseline=True)
    brief = Brief(Budget(max_size="20kB"), SHAPE, 10, 54_000, 0, plan, tmp_path)
    ladders = [Ladder(family, fakes.counts) for family in families_for(SHAPE)[:1]]
    folder = CompressionFolder(tmp_path)
    told: dict[str, Any] = {"epochs": 4}
    for _ in range(2):
        training = BaselineTraining(
            brief, ladders, Pace(54_000), DATA,
            epochs=folder.baseline_epochs(), decided=folder.baseline_decided,
        )  # fmt: skip
        training._variants["baseline-0"] = (
            Candidate(Baseline()),
            Trained(0, 1, 1.0, 0.8, 1.0, 1.0),
            Path("model"),
        )
        training._variants |= {f"baseline-{n}": training._variants["baseline-0"] for n in (1, 2)}
        training._given_out |= set(training._variants)
        job = training.next(clock.now)
        assert job is not None
        assert job.key == "baseline"
        assert told.setdefault("job", job.arguments["epochs"]) == job.arguments["epochs"]
        training.finished(
            JobResult(
                "baseline", {"epochs": 1, "val_accuracy": 0.5}, {}, tmp_path, "fake", 1.0, cancelled=True
            )
        )
        assert not training.done
        assert read_baseline(brief.baseline) is None
        clock.now += 100


@pytest.mark.parametrize(("anew", "led"), [(0.9, [None, None]), (0.96, [1])])
def test_the_better_of_two_seeds_is_the_one_that_counts(anew: float, led: list[int | None]) -> None:
    candidate = Candidate(Baseline())
    trial = Trial(3, candidate, {}, "finalist", seed=0)
    trial.rungs += [Trained(0, 2, 0.5, 0.9, 1.0, 1.0), Trained(-1, 5, 1.0, 0.95, 1.0, 1.0)]
    trial.rungs.append(Trained(-1, 6, 1.0, anew, 1.0, 1.0, seed=1))
    assert [rung.seed for rung in trial.lineage] == led
    assert trial.passes == 6
    assert trial.spread == [(0, 0.95), (1, anew)]
    assert trial.accuracy == max(anew, 0.95)


def test_whoever_did_not_go_on_says_why(done: Any) -> None:
    search, _, _ = done
    for trial in search.trials:
        assert trial.state in ("refused", "cut", "finalist")
        assert trial.state == "finalist" or trial.why
        record = json.loads((search._folder.of(trial) / "result.json").read_text())
        assert record["state"] == trial.state
        assert record["why"] == trial.why


def test_after_the_baseline_everybody_is_taught(done: Any) -> None:
    search, workers, _ = done
    for trial in search.trials:
        for trained in trial.rungs:
            key = f"final-{trial.name}" if trained.rung < 0 else f"train-{trial.name}-{trained.rung}"
            key += f"-{trained.seed}" if trained.seed is not None else ""
            assert (trained.taught_by is not None) == workers.begun[key]
    assert all(trial.rungs[-1].taught_by for trial in search.trials if trial.state == "finalist")


def test_the_baseline_is_tuned_a_little_first(done: Any) -> None:
    _, workers, _ = done
    assert [key for key in workers.done if key.startswith("baseline")] == [
        "baseline-0", "baseline-1", "baseline-2", "baseline",
    ]  # fmt: skip


@pytest.mark.parametrize("kill_after", [2, 9, 20])
def test_a_search_that_was_killed_goes_on(fakes: Any, tmp_path: Path, clock: Any, kill_after: int) -> None:
    with pytest.raises(fakes.KilledError):
        searched(fakes, tmp_path, clock, given=True, kill_after=kill_after)
    before = {
        path.parent.name: json.loads(path.read_text()) for path in (tmp_path / "trials").glob("*/result.json")
    }
    search, workers, _ = searched(fakes, tmp_path, clock, given=True)
    numbers = [trial.number for trial in search.trials]
    assert numbers == sorted(set(numbers))
    assert numbers == list(range(len(numbers)))
    for name, record in before.items():
        trial = next(trial for trial in search.trials if trial.name == name)
        kept = [(rung.rung, rung.seed) for rung in trial.rungs]
        assert kept[: len(record["rungs"])] == [(rung["rung"], rung["seed"]) for rung in record["rungs"]]
        assert len(kept) == len(set(kept))
        for rung in record["rungs"]:
            assert f"train-{name}-{rung['rung']}" not in workers.done  # what was done is not done again
    assert any(trial.state == "finalist" for trial in search.trials)


def test_a_given_baseline_that_fits_is_tried_too(fakes: Any, tmp_path: Path, clock: Any) -> None:
    search, _, _ = searched(fakes, tmp_path, clock, given=True, budget=Budget(max_size="100kB"))
    kinds = {trial.candidate.network.kind for trial in search.trials}
    assert "baseline" in kinds
    smaller, _, _ = searched(fakes, tmp_path / "smaller", clock, given=True)
    assert "narrowed" in {trial.candidate.network.kind for trial in smaller.trials}


def test_a_budget_that_no_network_meets_trains_nothing_but_the_baseline(
    fakes: Any, tmp_path: Path, clock: Any
) -> None:
    search, workers, ending = searched(fakes, tmp_path, clock, budget=Budget(max_size="2kB"))
    assert ending.why == "done"
    assert {key for key, _ in workers.trained} <= {"baseline", "baseline-0", "baseline-1", "baseline-2"}
    assert search.trials
    assert all(trial.state == "refused" for trial in search.trials)


@pytest.mark.parametrize("seconds", [20.0, 60.0])
def test_short_times_still_end_with_a_candidate(
    fakes: Any, tmp_path: Path, clock: Any, seconds: float
) -> None:
    search, _, _ = searched(fakes, tmp_path, clock, seconds, given=True)
    assert any(trial.rungs for trial in search.trials)
    assert search.now <= seconds


def test_a_time_that_is_too_short_still_gives_one_candidate(fakes: Any, tmp_path: Path, clock: Any) -> None:
    _, workers, ending = searched(fakes, tmp_path, clock, 3.0, given=True)
    assert ending.why == "time"
    assert [key for key, _ in workers.trained] == ["train-0000-0"]
