"""From scores to what is said of each image: class, confidence, cross-entropy, right or wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab._statistics import mcnemar, mean_interval, paired_difference, wilson_interval
from trimtab.benchmarking._measurement import Measurement, Predictions
from trimtab.errors import ModelError

__all__ = ["Answers", "accuracy", "accuracy_difference", "answers", "judged", "loss"]

_LEAST_PROBABILITY = 1e-7  # Keras' epsilon: an int8 softmax says 0 where it means less than 1/512


@dataclass(frozen=True, eq=False)
class Answers:
    """What one subject says about each of n images.

    Args:
        predictions: classes and confidences.
        right: (n,) bool, whether the class is the label.
        losses: (n,) float64, cross-entropy of the label in nats.
    """

    predictions: Predictions
    right: npt.NDArray[np.bool_]
    losses: npt.NDArray[np.float64]


def judged(
    scores: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    *,
    probabilities: bool,
    name: str = "model",
) -> Answers:
    """Turns the scores of some images into answers.

    Args:
        scores: (n, classes), logits or probabilities.
        labels: (n,), the true classes.
        probabilities: whether the scores come out of a softmax.
        name: of the subject, for the error.

    Raises:
        ModelError: the scores are not (n, classes) with a class for each label, or are not finite.
    """
    if (
        scores.ndim != 2
        or scores.shape[0] != len(labels)
        or (len(labels) and labels.max() >= scores.shape[1])
    ):
        raise ModelError(
            f"{name!r} answers {len(labels)} images with an array of shape {scores.shape}; needed is one "
            f"score a class, ({len(labels)}, classes). End the model in one output unit a class."
        )
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise ModelError(
            f"{name!r} gives NaN or infinite scores for {bad} of {len(labels)} images, so it cannot be "
            "measured. Train it with a lower learning rate, or convert it anew."
        )
    exact = scores.astype(np.float64)
    if probabilities:
        logarithms = np.log(np.maximum(exact, _LEAST_PROBABILITY))
    else:
        shifted = exact - exact.max(axis=1, keepdims=True)
        logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    classes = scores.argmax(axis=1).astype(np.int64)
    images = np.arange(len(labels))
    return Answers(
        predictions=Predictions(classes, np.exp(logarithms[images, classes]).astype(np.float32)),
        right=classes == labels,
        losses=-logarithms[images, labels],
    )


def answers(
    scores: Callable[[int, int], npt.NDArray[np.float32]],
    labels: npt.NDArray[np.int64],
    *,
    probabilities: bool,
    name: str,
    advance: Callable[[int], None],
    chunk: int = 1024,
) -> Answers:
    """Asks for the scores of all images, a chunk at a time so that memory stays small.

    Args:
        scores: gives the scores of the images from start to stop.
        labels: (n,), the true classes of all images.
        probabilities: whether the scores come out of a softmax.
        name: of the subject, for errors.
        advance: told how many images are done.
        chunk: images at a time.
    """
    parts = []
    for start in range(0, len(labels), chunk):
        stop = min(start + chunk, len(labels))
        parts.append(judged(scores(start, stop), labels[start:stop], probabilities=probabilities, name=name))
        advance(stop - start)
    return Answers(
        predictions=Predictions(
            np.concatenate([part.predictions.classes for part in parts]),
            np.concatenate([part.predictions.confidence for part in parts]),
        ),
        right=np.concatenate([part.right for part in parts]),
        losses=np.concatenate([part.losses for part in parts]),
    )


def accuracy(given: Answers, split: str, confidence: float) -> Measurement:
    """Gives the share of images that are classified rightly, with Wilson's interval."""
    right, images = int(given.right.sum()), len(given.right)
    value, low, high = wilson_interval(right, images, confidence)
    method = f"{right:,} of {images:,} {split} images classified rightly; Wilson interval."
    return Measurement("accuracy", value, "fraction", low, high, confidence, method)


def loss(given: Answers, split: str, confidence: float) -> Measurement:
    """Gives the mean cross-entropy, with its normal interval."""
    value, low, high = mean_interval(given.losses, confidence)
    how = "no interval, of one image" if low is None else "interval of +- z standard errors"
    method = f"Mean cross-entropy over {len(given.losses):,} {split} images; {how}."
    return Measurement("loss", value, "nats", low, high, confidence, method)


def accuracy_difference(
    given: Answers, baseline: Answers, confidence: float
) -> tuple[Measurement, Measurement]:
    """Compares with the baseline on the same images: the difference with its interval, and the p-value."""
    gained = int((given.right & ~baseline.right).sum())
    lost = int((~given.right & baseline.right).sum())
    value, low, high = paired_difference(gained, lost, len(given.right), confidence)
    tested = mcnemar(gained, lost)
    split = f"{gained:,} images only this one gets right, {lost:,} only the baseline"
    return (
        Measurement(
            name="accuracy_difference",
            value=value,
            unit="fraction",
            low=low,
            high=high,
            confidence=confidence,
            method=f"Accuracy minus the baseline's on the same images ({split}); Tango's paired interval.",
        ),
        Measurement(
            name="accuracy_p",
            value=tested.mid_p,
            unit="probability",
            confidence=confidence,
            method=f"McNemar's test against the baseline, mid-p (exact p {tested.exact:.4g}; {split}).",
        ),
    )
