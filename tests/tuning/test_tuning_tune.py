"""`tune` from end to end, on the digits, with trials of one or two epochs."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trimtab
from trimtab.data import ImageData, load_data
from trimtab.errors import ConfigError, DataError, ModelError, RunError
from trimtab.tuning import Choice, Integer, Real, Space, TuningResult, family_space, tune
from trimtab.tuning._notes import notes_on
from trimtab.tuning._result import TrialResult, best_of, front_of
from trimtab.tuning._setting import check_space

SPACE = Space(
    {
        "model.filters": Choice(((4, 8), (8, 16))),
        "model.dropout": Real(0.0, 0.5, default=0.0),
        "learning_rate": Real(1e-3, 2e-2, log=True, default=2e-3),
        "augmentation.shift": Integer(0, 1),
    },
    {"model.dense": 16, "epochs": 1, "batch_size": 32},
)


@pytest.fixture(scope="module")
def few() -> ImageData:
    return load_data("digits", limit=400)


@pytest.fixture(scope="module")
def found(few: ImageData, tmp_path_factory: pytest.TempPathFactory) -> tuple[TuningResult, Path]:
    folder = tmp_path_factory.mktemp("tune") / "run"
    return tune(few, SPACE, trials=3, folder=folder), folder


def test_the_baseline_comes_first_and_the_best_is_handed_over(
    found: tuple[TuningResult, Path], few: ImageData
) -> None:
    result, folder = found
    assert [trial.state for trial in result.trials] == ["complete"] * 3
    assert result.baseline.values == SPACE.defaults()
    assert result.winner.val_accuracy == max(trial.val_accuracy or 0 for trial in result.trials)
    answers = result.model.predict(few.validation.inputs(), verbose=0).argmax(axis=1)
    assert np.mean(answers == few.validation.labels) == pytest.approx(result.winner.val_accuracy)
    assert result.history.best.val_accuracy == result.winner.val_accuracy
    assert result.ending == "done"
    again = trimtab.load_model(folder / "best.keras")
    np.testing.assert_array_equal(again.get_weights()[0], result.model.get_weights()[0])


def test_the_folder_tells_the_same(found: tuple[TuningResult, Path]) -> None:
    result, folder = found
    told = json.loads((folder / "tuning.json").read_text())
    assert [trial["val_accuracy"] for trial in told["trials"]] == [t.val_accuracy for t in result.trials]
    assert (told["best"], told["ending"], told["notes"]) == (result.best, "done", list(result.notes))
    assert Space.from_data(told["space"]) == SPACE
    run = json.loads((folder / "run.json").read_text())
    assert (run["kind"], run["status"]) == ("tune", "complete")
    assert not (folder / "work").exists()
    kept = {int(path.parent.name) for path in folder.glob("trials/*/model.keras")}
    assert kept == {0, result.best}
    assert len(list(folder.glob("trials/*/history.csv"))) == 3


def test_gone_on_with_nothing_is_trained_twice(found: tuple[TuningResult, Path], few: ImageData) -> None:
    result, folder = found
    before = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/*")}
    again = tune(few, SPACE, trials=3, folder=folder, resume=True)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/*")} == before
    assert (again.trials, again.best) == (result.trials, result.best)


def test_a_folder_in_use_is_refused(found: tuple[TuningResult, Path], few: ImageData, tmp_path: Path) -> None:
    _, folder = found
    before = (folder / "run.json").read_bytes()
    with pytest.raises(RunError, match=r"holds a run already\. Add --resume"):
        tune(few, SPACE, trials=3, folder=folder)
    with pytest.raises(RunError, match="another study \\(seed: 0 there, 1 here\\)"):
        tune(few, SPACE, trials=3, folder=folder, resume=True, seed=1)
    with pytest.raises(RunError, match="another study \\(space, "):
        tune(few, "cnn", trials=3, folder=folder, resume=True)
    assert (folder / "run.json").read_bytes() == before
    (tmp_path / "run.json").write_text('{"format": 1, "recipe": {}}')
    with pytest.raises(RunError, match="holds what `trimtab run` made"):
        tune(few, SPACE, folder=tmp_path, resume=True)
    with pytest.raises(RunError, match="trimtab tune"):
        trimtab.pipeline.RunFolder(folder).read()


def test_the_test_images_stay_here(few: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trimtab.tuning import _training_job

    seen: list[ImageData] = []
    train = _training_job.train
    monkeypatch.setattr(
        _training_job, "train", lambda model, data, **rest: (seen.append(data), train(model, data, **rest))[1]
    )
    tune(few, SPACE, trials=1)
    assert [len(data.test) for data in seen] == [0]
    assert seen[0].digest == few.digest


def test_stopped_by_ctrl_c_the_best_so_far_is_the_answer(
    few: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.tuning import _training_job

    train, calls = _training_job.train, []

    def interrupted(model: Any, data: ImageData, **rest: Any) -> Any:
        calls.append(rest)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(model, data, **rest)

    monkeypatch.setattr(_training_job, "train", interrupted)
    result = tune(few, SPACE, trials=3, folder=tmp_path)
    assert (result.ending, result.best) == ("interrupted", 0)
    assert [trial.state for trial in result.trials] == ["complete", "unfinished"]
    assert any("this is the best so far" in note for note in result.notes)
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "interrupted"
    whole = tune(few, SPACE, trials=3, folder=tmp_path, resume=True)
    assert [trial.state for trial in whole.trials] == ["complete"] * 3
    assert whole.trials[1].values == result.trials[1].values
    assert len(calls) == 4


def test_before_the_baseline_is_done_there_is_no_answer(
    few: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.tuning import _training_job

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(_training_job, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(few, SPACE, trials=3, folder=tmp_path)


def test_hopeless_trials_are_cut_short_and_diverging_ones_failed(
    few: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.tuning import _training_job

    number = 0

    class Best:
        def __init__(self, curve: list[float]) -> None:
            self.best = self.epochs = None
            self.curve = curve

    def scripted(model: Any, data: ImageData, *, callbacks: list[Any], epochs: int, **_: Any) -> Any:
        """Trials get worse from one to the next; the sixth diverges."""
        nonlocal number
        number += 1
        if number == 6:
            raise ModelError("training diverged in epoch 1: loss is nan")
        history = []
        for epoch in range(epochs):
            callbacks[0].on_epoch_begin(epoch)
            accuracy = 0.9 - 0.1 * number + 0.01 * epoch
            history.append(trimtab.training.Epoch(epoch + 1, 1.0, 0.5, 1.0, accuracy, 0.1, 1.0))
            callbacks[0].on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": 1.0})
        model.compile()
        return trimtab.training.TrainingResult(model, trimtab.training.History.of(history, epochs))

    monkeypatch.setattr(_training_job, "train", scripted)
    space = Space(SPACE.dimensions, {**SPACE.fixed, "epochs": 5})
    result = tune(few, space, trials=7, folder=tmp_path)
    states = [trial.state for trial in result.trials]
    assert states == ["complete"] * 4 + ["cut", "failed", "cut"]
    cut = result.trials[4]
    assert (cut.epochs, len(cut.curve)) == (2, 2)
    assert "below what half of the finished trials had" in cut.why
    assert "diverged" in result.trials[5].why
    assert "2 of 7 trials were cut short, after 2 epochs" in result.notes
    assert result.best == 0
    assert result.notes[0].startswith("nothing was better than the defaults")
    assert sum(result.importances.values()) == pytest.approx(1)


def test_a_baseline_that_fails_ends_the_search(few: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    from trimtab.tuning import _training_job

    def broken(*_: Any, **__: Any) -> Any:
        raise ModelError("training diverged")

    monkeypatch.setattr(_training_job, "train", broken)
    with pytest.raises(ModelError, match="the first trial, with the defaults of the space, failed"):
        tune(few, SPACE, trials=3)


@pytest.mark.parametrize("family", ["cnn", "resnet", "ds_cnn", "mobilenet_v2"])
def test_the_built_in_spaces_begin_with_what_train_does(family: str) -> None:
    from trimtab import train, zoo

    for shape in [(8, 8, 1), (28, 28, 1), (96, 96, 3)]:
        space = family_space(family, shape, epochs=3)
        assert Space.from_data(space.to_data()) == space
    values = space.defaults()
    usual = inspect.signature(train).parameters
    assert all(values[name] == usual[name].default for name in ("batch_size", "learning_rate", "optimizer"))
    options = {name.removeprefix("model."): value for name, value in values.items() if name[:6] == "model."}
    usual = inspect.signature(getattr(zoo, options.pop("architecture"))).parameters
    narrowest = {"alpha": 0.35} if family == "mobilenet_v2" else {}
    assert options == {name: usual[name].default for name in options} | narrowest


def test_a_built_in_space_fits_small_images(few: ImageData) -> None:
    check_space(family_space("cnn", few.image_shape), few)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"moddel.filters": Choice((1, 2))}, "unknown parameter 'moddel.filters'"),
        ({"learning_rat": Choice((1, 2))}, "Did you mean 'learning_rate'"),
        ({"model.filtres": Choice((1, 2))}, "the defaults of the space: cnn has no option 'filtres'"),
        ({"model.filters": Choice(((4,), (4, 8, 8, 8)))}, r"model.filters = \(4, 8, 8, 8\): .* 8x8 pixels"),
        ({"learning_rate": Real(0.0, 0.1)}, "learning_rate = 0.0: .*would change nothing"),
        ({"optimizer": Choice(("adam", "adamm"))}, "optimizer = 'adamm': .*is not known"),
        ({"batch_size": Real(1.0, 2.0)}, "the defaults of the space: batch_size=1.5 must be a whole number"),
        ({"augmentation.flip": Choice((0, 1))}, "flip must be true or false"),
        ({"augmentation.shift": Integer(-1, 1)}, "shift is -1"),
        ({"model.architecture": Choice(("cnn", "vgg17"))}, "'vgg17' is not an architecture"),
    ],
)
def test_spaces_that_nothing_can_be_trained_with(
    few: ImageData, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    fixed = {name: value for name, value in SPACE.fixed.items() if name not in change}
    space = Space({**SPACE.dimensions, **change}, fixed)
    with pytest.raises(ConfigError, match=said) as refused:
        tune(few, space, folder=tmp_path / "run")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trials": 0}, "trials must be"),
        ({"minutes": 0}, "minutes must be"),
        ({"jobs": 0}, "jobs must be"),
        ({"objectives": ("size",)}, "no objective 'size'"),
        ({"objectives": ("parameters",)}, "begin with accuracy"),
        ({"objectives": ("accuracy", "accuracy")}, "name each other one once"),
        ({"space": "cnnn"}, "Did you mean 'cnn'"),
        ({"space": {"epochs": 1}}, "nothing to choose"),
    ],
)
def test_arguments_that_make_no_sense(few: ImageData, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tune(few, **{"space": SPACE, **options})


def test_images_to_judge_by_are_needed(few: ImageData) -> None:
    import dataclasses

    alone = dataclasses.replace(few, validation=few.validation.take(slice(0, 0)))
    with pytest.raises(DataError, match="no validation images"):
        tune(alone, SPACE)


def trial(number: int, accuracy: float, parameters: int, state: str = "complete") -> TrialResult:
    return TrialResult(number, state, {}, accuracy, val_loss=1.0, parameters=parameters)  # type: ignore[arg-type]


def test_best_and_front() -> None:
    trials = [
        trial(0, 0.9, 100),
        trial(1, 0.9, 100),
        trial(2, 0.8, 50),
        trial(3, 0.8, 60),
        trial(4, 0.99, 9, "cut"),
    ]
    best = best_of(trials)
    assert best is not None
    assert best.number == 0
    assert front_of(trials, ("accuracy",)) == (0,)
    assert front_of(trials, ("accuracy", "parameters")) == (0, 2)
    assert best_of([trial(1, 0.5, 1, "failed")]) is None
    assert notes_on(trials, best, 100, "time")[-1].startswith("the search ended because its time was up")


def test_two_objectives(few: ImageData) -> None:
    result = tune(few, SPACE, trials=3, objectives=("accuracy", "parameters"))
    assert result.best in result.front
    smallest = min(trial.parameters or 0 for trial in result.trials)
    assert any(result.trials[number].parameters == smallest for number in result.front)
