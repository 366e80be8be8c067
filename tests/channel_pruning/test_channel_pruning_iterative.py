"""Rounds, and what is left of them after a kill."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import trimtab
from trimtab.channel_pruning import _fine_tuning, _iterative, prune_channels
from trimtab.channel_pruning._fine_tuning import kept_answers
from trimtab.errors import RunError
from trimtab.training import Epoch, History, TrainingResult, train
from trimtab.training._checkpoint import weights_digest

OPTIONS = {
    "macs": "40%",
    "schedule": "iterative",
    "rounds": 2,
    "sparsity_learning": "kernels",
    "sparsity_epochs": 1,
    "epochs": 2,
    "batch_size": 64,
    "round_to": 2,
    "least": 2,
}


@pytest.fixture(scope="module")
def digits():
    return trimtab.load_data("digits", limit=256)


@pytest.fixture(scope="module")
def trained(digits):
    model = trimtab.zoo.cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, batch_norm=True)
    train(model, digits, epochs=2, batch_size=64, learning_rate=3e-3)
    return model


@pytest.fixture(scope="module")
def unbroken(trained, digits):
    return prune_channels(trained, digits, **OPTIONS)


class Killed(keras.callbacks.Callback):
    """Stops the program at the beginning of an epoch, counted through all trainings."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.epochs, self.at = 0, at

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs += 1
        if self.epochs == self.at:
            raise KeyboardInterrupt


def test_rounds_go_down_in_equal_steps_and_end_where_asked(unbroken, trained):
    first, last = unbroken.rounds
    assert last.macs <= 0.4 * unbroken.macs[0]
    assert unbroken.reached == last.macs == unbroken.macs[1]
    assert first.ratio == pytest.approx(1 - (1 - last.ratio) ** 0.5, abs=0.08)
    assert (first.first_epoch, first.last_epoch) == (2, 3)  # the first epoch was sparsity learning
    assert (last.first_epoch, last.last_epoch) == (4, 5)
    assert unbroken.history.best_epoch == last.best_epoch
    assert [epoch.epoch for epoch in unbroken.history.epochs] == [1, 2, 3, 4, 5]
    for name, after in ((group.name, group.after) for group in unbroken.groups):
        assert len(unbroken.keep[name]) == after
    assert unbroken.model.count_params() < trained.count_params()


@pytest.mark.parametrize("at", [3, 5])
def test_killed_and_run_again_it_ends_with_the_same_bits(
    trained, digits, unbroken, tmp_path, at, monkeypatch
):
    path = tmp_path / "state.npz"
    with pytest.raises(KeyboardInterrupt):
        prune_channels(trained, digits, checkpoint=path, callbacks=[Killed(at)], **OPTIONS)
    assert list(tmp_path.iterdir())
    if at == 5:  # both choices were made: a measured time would not come out the same again

        def refuse(*_, **__):
            raise AssertionError("the choice was made before the kill")

        monkeypatch.setattr(_iterative, "solve", refuse)
        monkeypatch.setattr(_iterative, "scores", refuse)
        monkeypatch.setattr(_iterative.Rounds, "check_target", lambda _: None)
    result = prune_channels(trained, digits, checkpoint=path, **OPTIONS)
    assert weights_digest(result.model) == weights_digest(unbroken.model)
    assert result.keep == unbroken.keep
    assert result.reached == unbroken.reached
    assert [e.val_accuracy for e in result.history.epochs] == [
        e.val_accuracy for e in unbroken.history.epochs
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_finished_pruning_is_there_at_once_and_belongs_to_its_arguments(trained, digits, tmp_path):
    path = tmp_path / "state.npz"
    options = {**OPTIONS, "epochs": 1, "checkpoint": path, "keep_checkpoint": True}
    first = prune_channels(trained, digits, **options)
    again = prune_channels(trained, digits, callbacks=[Killed(1)], **options)
    assert weights_digest(first.model) == weights_digest(again.model)
    with pytest.raises(RunError, match=r"belongs to another channel pruning \(asked"):
        prune_channels(trained, digits, **{**options, "macs": "50%"})
    for file in tmp_path.iterdir():
        if ".start-1" in file.name:
            file.write_bytes(file.read_bytes()[:100])
    anew = prune_channels(trained, digits, **options)
    assert weights_digest(first.model) == weights_digest(anew.model)


def test_groups_keep_their_names_where_fewer_channels_would_make_others(digits, monkeypatch):
    """With one channel left in each of its groups, a grouped convolution is a depthwise one."""
    layers = keras.layers
    inputs = keras.Input(digits.image_shape)
    x = layers.GroupNormalization(4, name="norm")(layers.Conv2D(8, 3, name="first")(inputs))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, groups=4, name="grouped")(x))
    model = keras.Model(inputs, layers.Dense(digits.classes, name="logits")(x))
    shapes = []

    def untrained(model, data, **_):
        shapes.append([tuple(model.get_layer(name).kernel.shape) for name in ("first", "grouped")])
        return TrainingResult(model, History.of([Epoch(1, 1.0, 0.5, 1.0, 0.5, 1e-3, 0.1)], 1))

    monkeypatch.setattr(_fine_tuning, "train", untrained)
    result = prune_channels(
        model, digits, ratio=0.6, ranking="group", schedule="iterative", rounds=2, epochs=1, round_to=1,
        least=1, recalibrate=False,
    )  # fmt: skip
    # What is left of "first" after the first round is one channel for each group of the convolution.
    assert shapes == [[(3, 3, 1, 4), (3, 3, 1, 20)], [(3, 3, 1, 4), (3, 3, 1, 12)]]
    assert result.groups == (("first", 2, 1), ("grouped", 8, 3))


def test_a_teacher_is_asked_about_each_image_once(trained, digits, tmp_path, monkeypatch):
    from trimtab.distillation._cached_logits import Answers

    asked, ask = [], Answers._asked
    monkeypatch.setattr(Answers, "_asked", lambda self, *words: asked.append(1) or ask(self, *words))
    options = {"ratio": 0.5, "teacher": "itself", "schedule": "iterative", "rounds": 2, "epochs": 1}
    options |= {"batch_size": 128, "round_to": 2, "least": 2, "checkpoint": tmp_path / "state.npz"}
    with pytest.raises(KeyboardInterrupt):
        prune_channels(trained, digits, callbacks=[Killed(2)], **options)  # in the second round
    assert len(asked) == 1
    prune_channels(trained, digits, **options)
    assert len(asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_answers_are_kept_where_someone_asks_again(tmp_path):
    with kept_answers(tmp_path / "state.npz", several=False) as folder:
        assert folder == tmp_path / "state.answers"
    with kept_answers(None, several=True) as folder:
        assert folder.is_dir()
    assert not folder.exists()
    with kept_answers(None, several=False) as folder:
        assert folder is None


def test_what_is_gone_in_a_round_never_comes_back(trained, digits):
    seen = []

    def contrary(group, weights):
        """Likes in each round what it disliked in the one before."""
        seen.append(group.name)
        return np.arange(group.size, dtype=float)[:: (-1) ** len([n for n in seen if n == group.name])]

    result = prune_channels(
        trained, digits, ratio=0.6, importance=contrary, schedule="iterative", rounds=2, epochs=1,
        batch_size=128, round_to=2, least=2,
    )  # fmt: skip
    assert result.rounds[0].ratio < result.rounds[1].ratio == pytest.approx(0.6, abs=0.06)
    for name, before, after in result.groups:
        kept = result.keep[name]
        assert len(kept) == after == len(set(kept))
        assert kept == tuple(sorted(kept))
        if 2 < after < before - 2:
            assert kept[0] > 0
            assert kept[-1] < before - 1
    assert result.importance == "contrary"
