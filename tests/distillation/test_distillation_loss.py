"""The loss against the same numbers in NumPy, and against keras.distillation where that is right."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.distillation import DistillationLoss
from trimtab.distillation._loss import StudentAccuracy, as_logits, averaged, soft_loss


def softmax(logits: Any) -> Any:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def by_hand(student: Any, teacher: Any, labels: Any, temperature: float, alpha: float) -> Any:
    """The loss of each image in float64, as the papers write it."""
    student, teacher = student.astype(np.float64), teacher.astype(np.float64)
    hard = -np.log(softmax(student)[np.arange(len(labels)), labels])
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    soft = temperature**2 * (p * np.log(p / q)).sum(axis=-1)
    return alpha * hard + (1 - alpha) * soft


@pytest.fixture
def case() -> tuple[Any, Any, Any]:
    random = np.random.default_rng(0)
    student, teacher = (random.normal(0, 3, (6, 5)).astype(np.float32) for _ in range(2))
    return student, teacher, random.integers(0, 5, 6)


def told(labels: Any, *beside: Any) -> Any:
    return np.concatenate([labels[:, None].astype(np.float32), *beside], axis=1)


def each(loss: Any, *given: Any) -> Any:
    return np.asarray(ops.convert_to_numpy(loss.call(*(ops.convert_to_tensor(value) for value in given))))


@pytest.mark.parametrize(("temperature", "alpha"), [(1.0, 0.0), (4.0, 0.1), (2.5, 0.7), (4.0, 1.0)])
def test_the_loss_is_that_of_the_papers(case: Any, temperature: float, alpha: float) -> None:
    student, teacher, labels = case
    wanted = by_hand(student, teacher, labels, temperature, alpha)
    loss = DistillationLoss(5, temperature, alpha, True)
    np.testing.assert_allclose(each(loss, told(labels, teacher), student), wanted, rtol=1e-5)
    live = np.concatenate([student, teacher], axis=1)
    np.testing.assert_allclose(each(loss, labels, live), wanted, rtol=1e-5)


def test_a_softmax_student_has_the_same_loss_to_the_last_small_probability(case: Any) -> None:
    student, teacher, labels = case
    student = student * 8  # probabilities down to 1e-30
    wanted = by_hand(student, teacher, labels, 4.0, 0.3)
    loss = DistillationLoss(5, 4.0, 0.3, False)
    found = each(loss, told(labels, teacher), softmax(student.astype(np.float64)).astype(np.float32))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    gone = np.array([[1.0, 0.0]], np.float32)  # what float32 cannot hold is no infinity
    assert np.isfinite(ops.convert_to_numpy(as_logits(ops.convert_to_tensor(gone), False))).all()


def test_several_teachers_are_averaged_in_probability(case: Any) -> None:
    student, first, labels = case
    others = [first, np.roll(first, 1, axis=1), 0.1 * first]
    mean = np.mean([softmax(each.astype(np.float64) / 3.0) for each in others], axis=0)
    together = ops.convert_to_numpy(averaged([ops.convert_to_tensor(each) for each in others], 3.0))
    np.testing.assert_allclose(softmax(together / 3.0), mean, rtol=1e-5)
    assert averaged([first], 3.0) is first
    wanted = by_hand(student, 3.0 * np.log(mean), labels, 3.0, 0.5)
    loss = DistillationLoss(5, 3.0, 0.5, True)
    np.testing.assert_allclose(each(loss, told(labels, together), student), wanted, rtol=1e-5)


def test_segments_add_their_weighted_mean_squares(case: Any) -> None:
    student, teacher, labels = case
    random = np.random.default_rng(1)
    mine, its = (random.normal(size=(6, 7)).astype(np.float32) for _ in range(2))
    loss = DistillationLoss(5, 4.0, 0.1, True, 0.0, [(3, 2.0), (4, 0.5)])
    wanted = by_hand(student, teacher, labels, 4.0, 0.1)
    squares = (mine - its).astype(np.float64) ** 2
    wanted = wanted + 2.0 * squares[:, :3].mean(axis=1) + 0.5 * squares[:, 3:].mean(axis=1)
    found = each(loss, told(labels, teacher, its), np.concatenate([student, mine], axis=1))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    live = np.concatenate([student, mine, teacher, its], axis=1)
    np.testing.assert_allclose(each(loss, labels, live), wanted, rtol=1e-5)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_bare_labels_give_the_cross_entropy_of_plain_training(
    case: Any, from_logits: bool, smoothing: float
) -> None:
    from trimtab.training._losses import crossentropy

    student, _, labels = case
    outputs = student if from_logits else softmax(student)
    plain = float(crossentropy(from_logits, smoothing)(labels, outputs))
    loss = DistillationLoss(5, 4.0, 0.1, from_logits, smoothing, [(3, 1.0)])
    assert float(loss(labels, outputs)) == pytest.approx(plain, rel=1e-6)


def test_smoothing_is_of_the_labels_alone(case: Any) -> None:
    student, teacher, labels = case
    given = told(labels, teacher), student
    soft = each(DistillationLoss(5, 4.0, 0.0, True, 0.3), *given)
    np.testing.assert_array_equal(soft, each(DistillationLoss(5, 4.0, 0.0, True), *given))
    hard = DistillationLoss(5, 4.0, 1.0, True, 0.3)
    own = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    assert float(hard(*given)) == pytest.approx(float(own(np.eye(5)[labels], student)), rel=1e-5)


def test_a_saved_loss_and_metric_come_back() -> None:
    loss = DistillationLoss(5, 3.0, 0.2, False, 0.1, [(3, 1.0)], name="mine")
    again = DistillationLoss.from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
    metric = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(StudentAccuracy(5)))
    assert (metric.name, metric.classes) == ("accuracy", 5)


def test_accuracy_is_the_share_of_right_classes(case: Any) -> None:
    student, teacher, labels = case
    wanted = float((student.argmax(axis=1) == labels).mean())
    for given in ((labels, student), (told(labels, teacher), np.concatenate([student, teacher], axis=1))):
        metric = StudentAccuracy(5)
        metric.update_state(*(ops.convert_to_tensor(value) for value in given))
        assert float(metric.result()) == pytest.approx(wanted)


def test_keras_own_loss_agrees_where_it_is_right_and_its_default_is_wrong(case: Any) -> None:
    student, teacher, _ = case
    wanted = float(ops.mean(soft_loss(ops.convert_to_tensor(student), ops.convert_to_tensor(teacher), 4.0)))
    right = keras.distillation.LogitsDistillation(temperature=4.0, loss=keras.losses.KLDivergence())
    assert float(right.compute_loss(teacher, student)) == pytest.approx(wanted, rel=1e-4)
    default = keras.distillation.LogitsDistillation(temperature=4.0)
    assert abs(float(default.compute_loss(teacher, student)) - wanted) > 0.5 * wanted


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes gradients as TensorFlow does")
def test_every_student_gets_a_gradient_but_not_from_keras_default() -> None:
    import tensorflow as tf

    student, teacher = tf.constant([[-4.0, -8.0, -4.0]]), tf.constant([[4.0, 8.0, -4.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(student)
        ours = tf.reduce_mean(soft_loss(student, teacher, 4.0))
        default = keras.distillation.LogitsDistillation(temperature=4.0).compute_loss(teacher, student)
        as_softmax = DistillationLoss(3, 4.0, 0.0, False).call(
            tf.concat([[[1.0]], teacher], axis=1), tf.nn.softmax(10 * student)
        )
    p, q = softmax(np.array([[1.0, 2.0, -1.0]])), softmax(np.array([[-1.0, -2.0, -1.0]]))
    np.testing.assert_allclose(tape.gradient(ours, student), 4.0 * (q - p), rtol=1e-5)
    assert not np.any(tape.gradient(default, student))  # the clipped, negative "probabilities" are constants
    far = softmax(np.array([[-10.0, -20.0, -10.0]]))  # a probability of 1e-18 is told from none
    np.testing.assert_allclose(tape.gradient(as_softmax, student), 40.0 * (far - p), rtol=1e-4)
