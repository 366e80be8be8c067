"""A distillation that was killed goes on, and ends with the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trimtab.data import Augmentation
from trimtab.distillation import _cached_logits as room
from trimtab.distillation import distill
from trimtab.errors import RunError

OPTIONS: dict[str, Any] = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01}
FEATURES: dict[str, Any] = {"features": [("relu_1", "relu_1")]}
KINDS: list[dict[str, Any]] = [
    {"augmentation": Augmentation(flip=True, shift=1), "views": 2, "sample_weight": np.linspace(0, 2, 96)},
    {"cache": "off", **FEATURES},
]


class _Interrupt(keras.callbacks.Callback):
    """Stops as Ctrl-C does, in the middle of the third epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if (self._epoch, batch) == (2, 1):
            raise KeyboardInterrupt


def _pupil(net: Any) -> Any:
    return net(normalized=True, dropout=0.2)


def _same(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


@pytest.mark.parametrize("options", KINDS)
def test_a_continued_distillation_ends_with_the_same_bits(
    few: Any, net: Any, teacher: Any, tmp_path: Path, options: Any
) -> None:
    path, whole = tmp_path / "state.npz", {**OPTIONS, **options}
    unbroken, broken, continued = _pupil(net), _pupil(net), _pupil(net)
    first = distill(unbroken, teacher, few, **whole)
    with pytest.raises(KeyboardInterrupt):
        distill(broken, teacher, few, checkpoint=path, callbacks=[_Interrupt()], **whole)
    second = distill(continued, teacher, few, checkpoint=path, cache_folder=tmp_path / "answers", **whole)
    assert _same(unbroken, continued)
    assert "continued after epoch 2 from the checkpoint state.npz" in second.notes
    assert [epoch.loss for epoch in first.history.epochs] == [epoch.loss for epoch in second.history.epochs]
    assert not path.exists()


def test_a_checkpoint_holds_no_teacher_and_belongs_to_one(
    few: Any, net: Any, teacher: Any, tmp_path: Path
) -> None:
    path, whole = tmp_path / "state.npz", {**OPTIONS, **FEATURES, "cache": "off"}
    with pytest.raises(KeyboardInterrupt):
        distill(_pupil(net), teacher, few, checkpoint=path, callbacks=[_Interrupt()], **whole)
    with np.load(path, allow_pickle=False) as file:
        held = sum(file[name].size for name in file.files if name.startswith("model."))
    own = sum(int(np.prod(variable.shape)) for variable in _pupil(net).variables)
    assert held == own + 4 * 12 + 12  # and the projection's kernel and bias
    other = net(width=12, normalized=True, seed=7, name="teacher")
    other.set_weights([weight * 1.001 for weight in teacher.get_weights()])
    before = path.read_bytes()
    for student, given, changed in (
        (_pupil(net), other, {}),
        (_pupil(net), teacher, {"temperature": 3.0}),
        (_pupil(net), teacher, {"alpha": 0.2}),
        (_pupil(net), teacher, {"features": []}),
        (_pupil(net), teacher, {"sample_weight": np.ones(96)}),
    ):
        with pytest.raises(RunError, match="belongs to another training"):
            distill(student, given, few, checkpoint=path, **{**whole, **changed})
    assert path.read_bytes() == before


def test_a_finished_distillation_does_not_ask_the_teacher_again(
    few: Any, net: Any, teacher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**OPTIONS, "epochs": 1, "checkpoint": tmp_path / "state.npz", "keep_checkpoint": True}
    first, second = net(), net()
    whole = distill(first, teacher, few, **options)
    monkeypatch.setattr(room, "forward", None)
    again = distill(second, teacher, few, **options)
    assert _same(first, second)
    assert again.history == whole.history


def test_the_best_epoch_comes_back_with_its_projection_left_out(few: Any, net: Any, teacher: Any) -> None:
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                self.before = self.model.student.get_weights()
            if epoch >= 2:
                for weight in self.model.student.trainable_weights:
                    weight.assign(np.zeros(weight.shape, np.float32))

    student, spoil = net(), Spoil()
    result = distill(student, teacher, few, callbacks=[spoil], **{**OPTIONS, **FEATURES})
    assert result.history.best_epoch <= 2
    if result.history.best_epoch == 2:
        assert all(np.array_equal(a, b) for a, b in zip(student.get_weights(), spoil.before, strict=True))
    assert any("the weights are those of epoch" in note for note in result.notes)
