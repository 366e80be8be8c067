"""Studies: proposed, kept, gone on with after a kill."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trimtab.errors import ConfigError, OutputError, RunError
from trimtab.tuning import Choice, Integer, MedianRule, Real, Space, Study, open_study

SPACE = Space(
    {
        "rate": Real(1e-4, 1e-1, log=True),
        "width": Integer(4, 32, step=4),
        "kind": Choice(("adam", "sgd")),
        "momentum": Real(0.0, 0.9, when={"kind": ("sgd",)}),
        "filters": Choice(((8, 16), (8, 16, 32))),
    },
    {"epochs": 3},
)
SMALL = Space({"a": Choice((1, 2, 3)), "b": Choice((True, False))})


def go_on(study: Study, count: int) -> None:
    """Ends what runs, then begins and ends so many more."""
    for trial in study.running:
        trial.finish(-trial.values["width"])
    for _ in range(count):
        trial = study.ask()
        assert trial is not None
        trial.finish(-trial.values["width"])


def settings(study: Study) -> list[dict[str, object]]:
    return [trial.values for trial in study.trials]


def test_trials_are_in_the_space_and_numbered_without_gaps(tmp_path: Path) -> None:
    study = open_study(tmp_path, SPACE)
    study.enqueue(SPACE.defaults())
    go_on(study, 6)
    assert study.trials[0].values == SPACE.defaults()
    assert [trial.number for trial in study.trials] == list(range(6))
    assert [trial.key for trial in study.trials][:2] == ["0000", "0001"]
    for trial in study.trials:
        assert SPACE.check(trial.values) == trial.values
        assert trial.state == "complete"
        assert trial.objectives == (-trial.values["width"],)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_opened_again_it_goes_on_as_if_nothing_had_happened(tmp_path: Path, sampler: str) -> None:
    whole = open_study(tmp_path / "whole", SPACE, sampler=sampler, seed=3)
    go_on(whole, 8)
    for _ in range(4):
        study = open_study(tmp_path / "parts", SPACE, sampler=sampler, seed=3)
        go_on(study, 2)
    assert settings(study) == settings(whole)
    assert settings(open_study(tmp_path / "other", SPACE, sampler=sampler, seed=4)) == []


def test_what_was_running_is_found_with_its_setting_its_reports_and_its_facts(tmp_path: Path) -> None:
    study = open_study(tmp_path, SPACE)
    trial = study.ask()
    assert trial is not None
    trial.report(1, 0.5)
    trial.report(1, 0.7)  # a step counts once
    trial.note(parameters=12, shape=(2, 3))
    study.spend(12.5)
    (found,) = open_study(tmp_path, SPACE).running
    assert (found.number, found.values, found.reports) == (0, trial.values, {1: 0.5})
    assert found.facts == {"parameters": 12, "shape": [2, 3]}
    found.finish(0.9)
    again = open_study(tmp_path, SPACE)
    assert not again.running
    assert again.trials[0].objectives == (0.9,)
    assert again.seconds == 12.5


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.7, 0.9, 0.97])
def test_killed_at_any_byte_no_trial_is_lost_or_repeated(tmp_path: Path, kept: float) -> None:
    whole = open_study(tmp_path / "whole", SPACE, seed=1)
    go_on(whole, 5)
    journal = tmp_path / "whole" / "journal.log"
    content = journal.read_bytes()
    broken = tmp_path / "broken" / "journal.log"
    broken.parent.mkdir()
    broken.write_bytes(content[: int(kept * len(content))])
    broken.with_name("journal.log.lock").touch()  # as a process leaves it that is killed while it writes
    study = open_study(broken.parent, SPACE, seed=1)
    go_on(study, 5 - len(study.trials))
    assert settings(study) == settings(whole)
    assert len({repr(values) for values in settings(study)}) == 5


def test_every_setting_of_a_small_space_is_tried_once(tmp_path: Path) -> None:
    study = open_study(tmp_path, SMALL)
    found = []
    while (trial := study.ask()) is not None:
        found.append((trial.values["a"], trial.values["b"]))
        if len(found) % 2:  # the others stay running
            trial.finish(len(found))
    assert sorted(found) == [(a, b) for a in (1, 2, 3) for b in (False, True)]
    assert len(study.running) == 3


def test_what_is_enqueued_comes_next_and_once(tmp_path: Path) -> None:
    study = open_study(tmp_path, SMALL)
    for _ in range(2):
        study.enqueue({"a": 3, "b": False})
        trial = study.ask()
        assert trial is not None
        trial.finish(1)
    assert study.trials[0].values == {"a": 3, "b": False}
    assert study.trials[1].values != {"a": 3, "b": False}
    for _ in range(2):
        study.enqueue({"a": 2, "b": True})
    assert [study.ask() is not None for _ in range(9)].count(True) == 4
    with pytest.raises(ConfigError, match="a may be 1, 2, 3"):
        study.enqueue({"a": 4, "b": False})


def test_the_worse_half_is_hopeless_and_says_so(tmp_path: Path) -> None:
    study = open_study(tmp_path, SPACE, hopeless=MedianRule(startup=3, warmup=1))
    for level in (0.7, 0.8, 0.9):
        trial = study.ask()
        assert trial is not None
        for step in (1, 2):
            trial.report(step, level)
            assert not trial.hopeless()
        trial.finish(level)
    trial = study.ask()
    assert trial is not None
    trial.report(1, 0.1)
    assert not trial.hopeless()  # a step of warming up
    trial.report(2, 0.2)
    assert trial.hopeless()
    trial.cut("below the median")
    assert (trial.state, trial.why, trial.objectives) == ("cut", "below the median", None)


def test_failed_trials_are_kept_and_their_settings_not_tried_again(tmp_path: Path) -> None:
    study = open_study(tmp_path, SMALL)
    trial = study.ask()
    assert trial is not None
    trial.fail("out of memory")
    while (other := study.ask()) is not None:
        assert other.values != trial.values
        other.finish(1.0)
    assert open_study(tmp_path, SMALL).trials[0].why == "out of memory"


def test_what_explains_the_results_matters_most(tmp_path: Path) -> None:
    study = open_study(tmp_path, SPACE, sampler="random")
    assert study.importances() == {}
    go_on(study, 15)
    shares = study.importances()
    assert next(iter(shares)) == "width"
    assert sum(shares.values()) == pytest.approx(1)
    assert "momentum" not in shares  # not every trial has one


def test_several_objectives_and_limits(tmp_path: Path) -> None:
    study = open_study(
        tmp_path, SPACE, directions=("maximize", "minimize"), constraints=("too_wide",), sampler="tpe"
    )
    for _ in range(12):
        trial = study.ask()
        assert trial is not None
        trial.note(too_wide=trial.values["width"] - 8)
        trial.report(2, 0.5)
        trial.finish(trial.values["rate"], trial.values["width"])
    assert all(len(trial.objectives or ()) == 2 for trial in study.trials)
    assert study.trials[0].reports == {2: 0.5}
    assert study.importances()


def test_another_study_is_refused_with_what_differs(tmp_path: Path) -> None:
    open_study(tmp_path, SMALL, belongs_to={"data": "abc"})
    with pytest.raises(RunError, match="another study \\(seed: 0 there, 1 here\\)"):
        open_study(tmp_path, SMALL, seed=1, belongs_to={"data": "abc"})
    with pytest.raises(RunError, match="data: 'abc' there, 'abd' here"):
        open_study(tmp_path, SMALL, belongs_to={"data": "abd"})
    with pytest.raises(RunError, match=r"space, a: .* there, None here"):
        open_study(tmp_path, SPACE, belongs_to={"data": "abc"})


def test_a_damaged_journal_is_refused_in_one_line(tmp_path: Path) -> None:
    go_on(open_study(tmp_path, SPACE), 1)
    journal = tmp_path / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"nonsense\n", *lines[1:]]))
    with pytest.raises(RunError, match="is damaged") as refused:
        open_study(tmp_path, SPACE)
    assert "\n" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="in the way"):
        open_study(tmp_path / "file" / "study", SMALL)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"directions": ()}, "maximize or minimize"),
        ({"directions": ("up",)}, "maximize or minimize"),
        ({"sampler": "grid"}, "tpe, nsga2 or random"),
        ({"directions": ("maximize", "minimize"), "hopeless": MedianRule()}, "by one objective"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_study(tmp_path, SMALL, **options)  # type: ignore[arg-type]


def test_optuna_is_imported_late_and_says_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from trimtab.tuning import Choice, Space, open_study\n"
        "assert 'optuna' not in sys.modules\n"
        f"study = open_study({str(tmp_path)!r}, Space({{'a': Choice((1, 2))}}), sampler='tpe')\n"
        "trial = study.ask(); trial.finish(1.0); study.importances()\n"
        "assert not {'keras', 'tensorflow'}.intersection(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
