"""`distill` from end to end: its loss to the digit, what it leaves behind, and what it works with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import trimtab
from trimtab.data import Augmentation
from trimtab.distillation import distill
from trimtab.distillation._layers import matched
from trimtab.distillation._maps import area_matrix
from trimtab.distillation._pupil import Pupil
from trimtab.training import train
from trimtab.training._batch_normalization import on_tensorflow_cpu

ONE_STEP: dict[str, Any] = {"epochs": 1, "batch_size": 96, "optimizer": "sgd", "learning_rate": 1e-3}
ALL = Augmentation(flip=True, shift=1, cutout=2)


def softmax(logits: Any) -> Any:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def outputs(model: Any, images: Any, layer: str = "") -> Any:
    """What a model, or a layer of it, gives in float64."""
    end = model.get_layer(layer).output if layer else model.output
    return np.asarray(keras.Model(model.input, end)(images, training=False), np.float64)


def by_hand(student: Any, teacher: Any, labels: Any, temperature: float, alpha: float) -> Any:
    hard = -np.log(softmax(student)[np.arange(len(labels)), labels])
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    return alpha * hard + (1 - alpha) * temperature**2 * (p * np.log(p / q)).sum(axis=-1)


def same(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("cache", "softmaxes"),
    [("logits", (False, False)), ("off", (True, False)), ("logits", (True, True)), ("off", (False, True))],
)
def test_the_first_loss_is_the_formulas(few: Any, net: Any, cache: str, softmaxes: Any) -> None:
    plain, other = net(), net(width=6, seed=4)
    student, teacher = net(softmax=softmaxes[0]), net(width=6, seed=4, softmax=softmaxes[1])
    images, labels = few.train.inputs(), few.train.labels
    wanted = by_hand(outputs(plain, images), outputs(other, images), labels, 3.0, 0.2).mean()
    result = distill(student, teacher, few, temperature=3.0, alpha=0.2, cache=cache, **ONE_STEP)
    assert result.history.epochs[0].loss == pytest.approx(wanted, rel=1e-4)
    assert result.cache == cache


@pytest.mark.parametrize("cache", ["logits", "off"])
def test_sample_weights_scale_each_images_loss(few: Any, net: Any, cache: str) -> None:
    images, labels = few.train.inputs(), few.train.labels
    weights = np.linspace(0, 3, len(labels))
    each = by_hand(outputs(net(), images), outputs(net(seed=3), images), labels, 4.0, 0.1)
    result = distill(net(), net(seed=3), few, sample_weight=weights, cache=cache, **ONE_STEP)
    assert result.history.epochs[0].loss == pytest.approx((weights * each).mean(), rel=1e-4)
    right = (outputs(net(), images).argmax(axis=1) == labels).mean()
    assert result.history.epochs[0].accuracy == pytest.approx(right, abs=1e-6)  # counts each image once


def test_several_teachers_are_averaged_at_the_temperature(few: Any, net: Any) -> None:
    images, labels = few.train.inputs(), few.train.labels
    teachers = [net(seed=3), net(width=6, seed=4)]
    mean = np.mean([softmax(outputs(each, images) / 2.0) for each in teachers], axis=0)
    wanted = by_hand(outputs(net(), images), 2.0 * np.log(mean), labels, 2.0, 0.5).mean()
    for cache in ("logits", "off"):
        result = distill(net(), teachers, few, temperature=2.0, alpha=0.5, cache=cache, **ONE_STEP)
        assert result.history.epochs[0].loss == pytest.approx(wanted, rel=1e-4)
        assert [exam.name for exam in result.teachers] == ["student", "student"]


@pytest.mark.parametrize("cache", ["logits", "off"])
def test_features_and_attention_add_what_the_papers_say(few: Any, net: Any, cache: str) -> None:
    student, teacher = net(), net(width=6, seed=4)
    images, labels = few.train.inputs(), few.train.labels
    segments = matched(student, teacher, few.image_shape, ((("relu_1", "relu_2"),), 1.0), ((), 1.0))
    kernel, bias = (np.asarray(w) for w in Pupil(student, segments, 4).projections[0].get_weights())
    half = area_matrix(8, 4).astype(np.float64)
    mine = np.einsum("oi,pj,bijc->bopc", half, half, outputs(student, images, "relu_1")) @ kernel + bias
    its = outputs(teacher, images, "relu_2")
    wanted = by_hand(outputs(student, images), outputs(teacher, images), labels, 4.0, 0.1)
    wanted = wanted + 0.5 * ((mine - its) ** 2).mean(axis=(1, 2, 3))
    looks = [
        (outputs(model, images, "relu_1") ** 2).mean(axis=-1).reshape(96, -1) for model in (student, teacher)
    ]
    looks = [energy / np.linalg.norm(energy, axis=1, keepdims=True) for energy in looks]
    wanted = wanted + 50.0 * ((looks[0] - looks[1]) ** 2).mean(axis=1)
    result = distill(
        student, teacher, few, features=[("relu_1", "relu_2")], feature_weight=0.5,
        attention=[("relu_1", "relu_1")], attention_weight=50.0, cache=cache, seed=4, **ONE_STEP,
    )  # fmt: skip
    assert result.history.epochs[0].loss == pytest.approx(wanted.mean(), rel=1e-4)
    assert result.features == (("relu_1", "relu_2"),)
    assert len(student.weights) == 6  # no projection stays behind


def test_validation_is_that_of_plain_training(few: Any, net: Any, teacher: Any) -> None:
    for options in ({}, {"cache": "off", "features": [("relu_1", "relu_1")]}):
        model = net()
        last = distill(model, teacher, few, epochs=1, label_smoothing=0.0, **options).history.epochs[-1]
        loss, accuracy = model.evaluate(few.validation.inputs(), few.validation.labels, verbose=0)
        assert (last.val_loss, last.val_accuracy) == pytest.approx((loss, accuracy), abs=1e-5)


def test_with_labels_alone_it_is_plain_training(few: Any, net: Any, teacher: Any) -> None:
    first, second = net(dropout=0.3), net(dropout=0.3)
    options: dict[str, Any] = {"epochs": 2, "batch_size": 32, "seed": 3, "augmentation": ALL, "views": 2}
    distill(first, teacher, few, alpha=1.0, **options)
    del options["views"]
    train(second, few, **options)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_softmax_student_learns_as_one_with_logits(few: Any, net: Any, teacher: Any) -> None:
    plain, ends = net(), net(softmax=True)
    for model in (plain, ends):
        distill(model, teacher, few, epochs=3, batch_size=32, optimizer="sgd", learning_rate=0.05)
    for one, other in zip(plain.get_weights(), ends.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)
    assert ends.loss.get_config()["from_logits"] is False
    assert ends.layers[-1].activation is keras.activations.softmax


@pytest.mark.parametrize("options", [{}, {"cache": "off", "attention": [("relu_1", "relu_1")]}])
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras' saving
def test_teacher_untouched_student_ordinary(
    few: Any, net: Any, teacher: Any, tmp_path: Path, options: Any
) -> None:
    before, flags = [np.array(w) for w in teacher.get_weights()], [w.trainable for w in teacher.weights]
    optimizer, student = teacher.optimizer, net(normalized=True, dropout=0.2)
    result = distill(student, teacher, few, epochs=1, batch_size=32, **options)
    assert result.model is student
    for one, other in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)  # the statistics of its batch normalisation too
    assert [w.trainable for w in teacher.weights] == flags
    assert teacher.optimizer is optimizer
    assert all(type(layer).__module__.startswith("keras") for layer in student.layers)
    assert type(student.get_layer("bn_1")) is keras.layers.BatchNormalization
    assert student.train_function is None
    assert "trimtab" not in str(student.get_compile_config())
    student.save(tmp_path / "student.keras")
    again = keras.models.load_model(tmp_path / "student.keras")
    images = few.test.inputs(0, 4)
    np.testing.assert_array_equal(again(images), student(images))
    assert student.get_layer("relu_1").output is not None


def test_a_student_is_ordinary_even_after_ctrl_c(few: Any, net: Any, teacher: Any) -> None:
    student = net(normalized=True)
    kinds: list[type] = []

    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            kinds.append(type(student.get_layer("bn_1")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distill(student, teacher, few, cache="off", features=[("bn_1", "bn_1")], callbacks=[Stop()])
    fused = kinds[0] is not keras.layers.BatchNormalization
    assert fused == on_tensorflow_cpu()  # the fast kernel reaches into the student
    assert type(student.get_layer("bn_1")) is keras.layers.BatchNormalization
    assert "trimtab" not in str(student.get_compile_config())


def test_it_learns_the_digits_and_tells_how(digits: Any, net: Any, teacher: Any) -> None:
    student = net(width=12, normalized=True)  # the teacher's own architecture
    result = distill(student, teacher, digits, epochs=6, batch_size=32, learning_rate=0.01)
    assert result.history.best.val_accuracy > 0.85
    assert result.history.epochs[-1].loss < 0.3 * result.history.epochs[0].loss
    (exam,) = result.teachers
    assert exam.name == "teacher"
    assert exam.low < exam.accuracy < exam.high
    assert exam.images == len(digits.validation)
    assert (result.cache, result.views) == ("logits", 1)
    assert result.cache_bytes == len(digits.train) * 10 * 4
    assert result.teacher_seconds > 0
    assert result.notes[0].startswith("the teacher's answers were asked for once and kept (")
    record = trimtab._records.to_plain(result)
    assert record["teachers"][0]["name"] == "teacher"
    assert "model" not in record


def test_it_gets_nearer_to_the_teacher_than_labels_alone(digits: Any, net: Any, teacher: Any) -> None:
    def distance(model: Any) -> float:
        images = digits.test.inputs()
        p, q = softmax(outputs(teacher, images) / 4), softmax(outputs(model, images) / 4)
        return float((p * np.log(p / q)).sum(axis=1).mean())

    taught, alone = net(), net()
    options: dict[str, Any] = {"epochs": 3, "batch_size": 64, "learning_rate": 0.01}
    distill(taught, teacher, digits, alpha=0.0, **options)
    train(alone, digits, **options)
    assert distance(taught) < 0.8 * distance(alone)


def test_with_augmentation_views_are_kept_and_the_epochs_take_turns(few: Any, net: Any, teacher: Any) -> None:
    result = distill(net(), teacher, few, epochs=3, views=2, augmentation=ALL, batch_size=96)
    assert (result.cache, result.views) == ("views", 2)
    live = distill(net(), teacher, few, epochs=2, cache="off", augmentation=ALL, batch_size=96)
    pairs = zip(result.history.epochs[:2], live.history.epochs, strict=True)
    # The first two epochs show the same images, so that kept answers and a live teacher say the same.
    assert all(kept.loss == pytest.approx(asked.loss, rel=1e-3) for kept, asked in pairs)


def test_any_kind_of_student_and_teacher(few: Any, net: Any) -> None:
    class Own(keras.Model):
        """A model without a graph, whose call does not even know of training."""

        def __init__(self, name: str) -> None:
            super().__init__(name=name)
            self.inner = net(normalized=True)
            self.bn = keras.layers.BatchNormalization()

        def call(self, images: Any) -> Any:
            return self.bn(self.inner(images))

    own, taught = Own("own"), Own("taught")
    for model in (own, taught):
        model(few.train.inputs(0, 2))
    image = keras.Input((8, 8, 1))
    nested = keras.Model(image, keras.layers.Dense(10)(net(seed=2, normalized=True, name="base")(image)))
    sequential = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    before = [np.array(weight) for weight in own.get_weights()]
    for student, teachers, cache in ((taught, [own, nested], "off"), (sequential, [own, nested], "auto")):
        result = distill(student, teachers, few, epochs=1, cache=cache)
        assert math.isfinite(result.history.best.loss)
    for one, other in zip(before, own.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    deep = distill(nested, net(seed=1), few, epochs=1, features=[("base/relu_1", "relu_1")])
    assert deep.features == (("base/relu_1", "relu_1"),)


def test_zeros_stay_zeros_where_the_optimizer_keeps_them(few: Any, net: Any, teacher: Any) -> None:
    student = net()
    kernel = student.get_layer("conv_2").kernel
    kernel.assign(np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0, kernel))
    zeros = np.asarray(kernel) == 0
    keep = trimtab.pruning.keep_zeros(student)
    distill(
        student, teacher, few, epochs=2, batch_size=32, wrap_optimizer=keep, features=[("conv_1", "relu_1")]
    )
    np.testing.assert_array_equal(np.asarray(kernel) == 0, zeros)


def test_a_wrong_order_of_classes_and_a_lazy_teacher(few: Any, net: Any, teacher: Any) -> None:
    lazy = net(seed=5, name="lazy")
    lazy.get_layer("head").kernel.assign(np.zeros(lazy.get_layer("head").kernel.shape))
    notes = distill(net(), lazy, few, epochs=1).notes
    assert any("'lazy' is not surely better than chance" in note for note in notes)


def test_frozen_layers_of_the_student_stay(few: Any, net: Any, teacher: Any) -> None:
    student = net(normalized=True)
    before = [np.array(weight) for weight in student.get_weights()]
    distill(student, teacher, few, epochs=1, trainable="head", features=[("conv_2", "relu_2")])
    after = student.get_weights()
    changed = [not np.array_equal(one, other) for one, other in zip(before, after, strict=True)]
    assert changed == [False] * (len(before) - 2) + [True] * 2
    assert all(layer.trainable for layer in student.layers)
    assert same(student, student)
