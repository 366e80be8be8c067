"""Images whose answer changed: what an equal accuracy can hide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab._statistics import wilson_interval
from trimtab.benchmarking._measurement import Measurement

__all__ = ["ChangedAnswers", "changed_answers"]


@dataclass(frozen=True)
class ChangedAnswers:
    """Images that a model answers otherwise than the baseline, by what became of the answer.

    Two models of equal accuracy may be right on different images: those that were right before are what a
    user notices (Yan et al. 2021, "Positive-congruent training", call their share the negative flip rate;
    Hooker et al. 2019, "What do compressed deep neural networks forget?", show whom they hit).

    Args:
        changed: share of images with another answer.
        right_to_wrong: share of images that the baseline gets right and this one does not.
        wrong_to_right: share of images that the baseline gets wrong and this one does not.
        wrong_to_wrong: share of images that both get wrong, each in its own way.
        right_to_wrong_images: their places in the split, rising; so for the other two.
    """

    changed: Measurement
    right_to_wrong: Measurement
    wrong_to_right: Measurement
    wrong_to_wrong: Measurement
    right_to_wrong_images: tuple[int, ...]
    wrong_to_right_images: tuple[int, ...]
    wrong_to_wrong_images: tuple[int, ...]


def changed_answers(
    classes: npt.NDArray[np.int64],
    baseline: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    confidence: float,
) -> ChangedAnswers:
    """Sorts the images whose answer changed.

    Args:
        classes: (n,), the model's answers.
        baseline: (n,), the baseline's.
        labels: (n,), the true classes.
        confidence: of every interval.
    """
    differ = classes != baseline
    right, was_right = classes == labels, baseline == labels

    def share(name: str, images: int, told: str) -> Measurement:
        value, low, high = wilson_interval(images, len(labels), confidence)
        method = f"{images:,} of {len(labels):,} images {told}; Wilson interval."
        return Measurement(name, value, "fraction", low, high, confidence, method)

    broken, mended, other = differ & was_right, differ & right, differ & ~right & ~was_right
    return ChangedAnswers(
        changed=share("changed_answers", int(differ.sum()), "answered otherwise than by the baseline"),
        right_to_wrong=share(
            "right_to_wrong", int(broken.sum()), "that the baseline gets right and this one does not"
        ),
        wrong_to_right=share(
            "wrong_to_right", int(mended.sum()), "that this one gets right and the baseline does not"
        ),
        wrong_to_wrong=share("wrong_to_wrong", int(other.sum()), "that both get wrong, each in its own way"),
        right_to_wrong_images=_places(broken),
        wrong_to_right_images=_places(mended),
        wrong_to_wrong_images=_places(other),
    )


def _places(which: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """Returns where an array is true."""
    return tuple(int(place) for place in np.flatnonzero(which))
