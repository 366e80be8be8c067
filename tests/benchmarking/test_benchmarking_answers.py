from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.benchmarking._answers import accuracy, accuracy_difference, answers, judged, loss
from trimtab.errors import ModelError

LOGITS = np.asarray([[2, 0, 0], [0, 1, 5], [3, 3, 0], [0, 4, 0]], np.float32)
LABELS = np.asarray([0, 2, 1, 0])


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def test_classes_confidence_and_loss_of_logits() -> None:
    found = judged(LOGITS, LABELS, probabilities=False)
    assert found.predictions.classes.tolist() == [0, 2, 0, 1]
    assert found.predictions.classes.dtype == np.int64
    assert found.right.tolist() == [True, True, False, False]
    assert found.losses[0] == pytest.approx(math.log(math.exp(2) + 2) - 2)
    assert found.predictions.confidence == pytest.approx(softmax(LOGITS).max(axis=1), rel=1e-6)


def test_a_softmax_head_gives_the_same_answers() -> None:
    one = judged(LOGITS, LABELS, probabilities=False)
    other = judged(softmax(LOGITS), LABELS, probabilities=True)
    assert other.losses == pytest.approx(one.losses, rel=1e-5)
    assert other.predictions.confidence == pytest.approx(one.predictions.confidence, rel=1e-5)


def test_a_probability_of_zero_costs_much_but_not_infinitely() -> None:
    found = judged(np.asarray([[1, 0]], np.float32), np.asarray([1]), probabilities=True)
    assert found.losses[0] == pytest.approx(-math.log(1e-7))


def test_large_logits_do_not_overflow() -> None:
    found = judged(np.asarray([[3e4, -3e4]], np.float32), np.asarray([1]), probabilities=False)
    assert found.losses[0] == pytest.approx(6e4)


def test_chunks_change_nothing() -> None:
    done: list[int] = []
    found = answers(
        lambda start, stop: LOGITS[start:stop],
        LABELS,
        probabilities=False,
        name="model",
        advance=done.append,
        chunk=3,
    )
    whole = judged(LOGITS, LABELS, probabilities=False)
    assert done == [3, 1]
    assert (found.losses == whole.losses).all()
    assert (found.predictions.classes == whole.predictions.classes).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(value: float) -> None:
    scores = LOGITS.copy()
    scores[1, 0] = value
    with pytest.raises(ModelError, match=r"'net' gives NaN or infinite scores for 1 of 4 images"):
        judged(scores, LABELS, probabilities=False, name="net")


@pytest.mark.parametrize("shape", [(4, 2), (3, 3), (4, 3, 1)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"one score a class"):
        judged(np.zeros(shape, np.float32), LABELS, probabilities=False)


def test_measurements_say_what_they_rest_on() -> None:
    found = judged(LOGITS, LABELS, probabilities=False)
    measured = accuracy(found, "test", 0.95)
    assert (measured.value, measured.unit) == (0.5, "fraction")
    assert measured.low is not None
    assert measured.low < 0.5
    assert "2 of 4 test images" in measured.method
    assert loss(found, "test", 0.95).value == pytest.approx(found.losses.mean())


def test_difference_counts_who_alone_is_right() -> None:
    labels = np.zeros(30, np.int64)
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    own = judged(np.asarray([right] * 25 + [wrong] * 5, np.float32), labels, probabilities=False)
    first = judged(np.asarray([wrong] * 9 + [right] * 20 + [wrong], np.float32), labels, probabilities=False)
    difference, p = accuracy_difference(own, first, 0.95)
    assert difference.value == pytest.approx(5 / 30)
    assert "9 images only this one gets right, 4 only the baseline" in difference.method
    assert p.value is not None
    assert 0.1 < p.value < 0.3
    assert difference.low is not None
    assert difference.low < 0
