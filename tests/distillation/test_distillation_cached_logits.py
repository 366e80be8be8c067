"""A teacher's answers kept: the very logits of the very images, in memory and on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trimtab.data import Augmentation, batches
from trimtab.data._augmentation import augmented, drawn
from trimtab.distillation import _cached_logits as room
from trimtab.distillation import cached_logits
from trimtab.distillation._layers import matched
from trimtab.errors import ConfigError, ModelError, OutputError

ALL = Augmentation(flip=True, shift=1, cutout=2)


def test_they_are_the_teachers_own(few: Any, teacher: Any) -> None:
    before = [np.array(weight) for weight in teacher.get_weights()]
    logits = cached_logits(teacher, few)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, teacher(few.train.inputs(), training=False), rtol=1e-4, atol=1e-4)
    for one, other in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("view", [0, 3])
def test_a_view_is_what_the_epoch_of_that_number_shows(few: Any, teacher: Any, view: int) -> None:
    logits = cached_logits(teacher, few, augmentation=ALL, view=view, seed=5)
    split = few.train
    moved = augmented(split.images, *drawn(ALL, split.images.shape, 5, view), ALL.cutout)
    wanted = teacher(type(split)(moved, split.labels, split.input_range).inputs(), training=False)
    np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-4)
    other = cached_logits(teacher, few, augmentation=ALL, view=view + 1, seed=5)
    assert np.abs(other - logits).max() > 1


def test_stored_views_go_with_the_images_that_a_training_sees(few: Any, teacher: Any) -> None:
    answers = room.Answers(room.checked_teachers(teacher, few), few, 4.0, ALL, 2)
    targets = answers.targets(2, None, "ask")
    assert targets[0].shape == (2, 96, 10)
    stream = batches(few.train, 40, seed=2, epochs=4, augmentation=ALL, views=2, targets=targets)
    for images, told in stream:
        wanted = np.asarray(teacher(np.asarray(images), training=False))
        np.testing.assert_allclose(np.asarray(told)[:, 1:], wanted, rtol=1e-4, atol=1e-4)


def test_a_softmax_teacher_gives_logits_but_for_a_constant(few: Any, net: Any) -> None:
    plain, ends = net(seed=3), net(seed=3, softmax=True)
    logits, logs = cached_logits(plain, few), cached_logits(ends, few)
    apart = logs - logits
    np.testing.assert_allclose(apart, np.broadcast_to(apart[:, :1], apart.shape), atol=1e-4)


def test_several_teachers_become_one(few: Any, net: Any) -> None:
    teachers = [net(seed=1), net(seed=2)]
    together = cached_logits(teachers, few, temperature=2.0)
    alone = [cached_logits(each, few) for each in teachers]
    mean = np.mean([np.asarray(keras.ops.softmax(each / 2.0)) for each in alone], axis=0)
    np.testing.assert_allclose(np.asarray(keras.ops.softmax(together / 2.0)), mean, rtol=1e-4)


def test_files_are_read_again_and_belong_to_teacher_data_and_view(
    few: Any, net: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    forward = room.forward

    def counted(model: Any) -> Any:
        asked.append(model.name)
        return forward(model)

    monkeypatch.setattr(room, "forward", counted)
    model = net(seed=1, name="first")
    first = cached_logits(model, few, folder=tmp_path / "answers")
    again = cached_logits(net(seed=1, name="other name"), few, folder=tmp_path / "answers")
    np.testing.assert_array_equal(first, again)
    assert asked == ["first_asked"]
    cached_logits(net(seed=2), few, folder=tmp_path / "answers")
    cached_logits(model, few, folder=tmp_path / "answers", augmentation=ALL)
    cached_logits(model, few, folder=tmp_path / "answers", augmentation=ALL, view=1)
    assert len(asked) == 4
    files = sorted((tmp_path / "answers").iterdir())
    assert len(files) == 4
    for file in files:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)
    np.testing.assert_array_equal(cached_logits(model, few, folder=tmp_path / "answers"), first)
    assert len(asked) == 5
    np.testing.assert_array_equal(cached_logits(model, few, folder=tmp_path / "answers"), first)
    assert len(asked) == 5


def test_features_that_float16_cannot_hold_are_told(few: Any, net: Any) -> None:
    teacher = net()
    teacher.get_layer("conv_1").bias.assign(np.full(4, 1e5, np.float32))
    segments = matched(net(), teacher, few.image_shape, ((("relu_1", "relu_1"),), 1.0), ((), 1.0))
    answers = room.Answers(room.checked_teachers(teacher, few), few, 4.0, None, 0, None, segments, half=True)
    with pytest.raises(ConfigError, match="too large for float16, as which they are kept here"):
        answers.targets(1, None, "ask")


def test_what_makes_no_sense_is_refused(few: Any, net: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="view=-1 must be a whole number"):
        cached_logits(net(), few, view=-1)
    with pytest.raises(ConfigError, match="temperature=0 would leave"):
        cached_logits(net(), few, temperature=0)
    with pytest.raises(ModelError, match="has 7 outputs"):
        cached_logits(net(classes=7), few)
    broken = net()
    broken.layers[-1].bias.assign(np.full(10, np.nan, np.float32))
    with pytest.raises(ModelError, match="NaN or infinite numbers"):
        cached_logits(broken, few)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file or folder is in the way"):
        cached_logits(net(), few, folder=tmp_path / "file")
