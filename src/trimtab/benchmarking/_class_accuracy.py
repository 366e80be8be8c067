"""Accuracy class by class, and which classes changed by more than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trimtab._statistics import holm, mcnemar, paired_difference, wilson_interval
from trimtab.benchmarking._measurement import Measurement

__all__ = ["ClassAccuracy", "class_accuracies"]


@dataclass(frozen=True)
class ClassAccuracy:
    """How many images of one class a model finds, and how that differs from the baseline.

    Args:
        name: of the class.
        images: how many images are of it.
        accuracy: share of them that is classified rightly (the recall of the class), with Wilson's interval;
            without a value where there is no image of the class.
        difference: accuracy minus the baseline's on the same images, with Tango's paired interval; None for
            the baseline itself, and where there is no image.
        p: McNemar's test against the baseline, mid-p, corrected with Holm's method for the number of classes.
        changed: whether it differs by more than chance: `p` is at most 1 - confidence.
    """

    name: str
    images: int
    accuracy: Measurement
    difference: Measurement | None = None
    p: Measurement | None = None
    changed: bool = False


def class_accuracies(
    right: npt.NDArray[np.bool_],
    baseline: npt.NDArray[np.bool_] | None,
    labels: npt.NDArray[np.int64],
    names: tuple[str, ...],
    confidence: float,
) -> tuple[ClassAccuracy, ...]:
    """Compares a model with the baseline on the images of each class.

    Args:
        right: (n,), whether the model is right.
        baseline: (n,), whether the baseline is; None for the baseline itself.
        labels: (n,), the true classes.
        names: of the classes.
        confidence: of every interval; a class has changed where its corrected p is at most 1 - confidence.
    """
    members = [np.flatnonzero(labels == number) for number in range(len(names))]
    alone = [_alone(name, right[mine], confidence) for name, mine in zip(names, members, strict=True)]
    if baseline is None:
        return tuple(alone)
    gained = [int((right[mine] & ~baseline[mine]).sum()) for mine in members]
    lost = [int((~right[mine] & baseline[mine]).sum()) for mine in members]
    asked = [number for number, mine in enumerate(members) if len(mine)]
    tested = [mcnemar(gained[number], lost[number]).mid_p for number in asked]
    corrected = dict(zip(asked, zip(tested, holm(tested), strict=True), strict=True))
    return tuple(
        _compared(one, gained[number], lost[number], *corrected[number], len(asked), confidence)
        if number in corrected
        else one
        for number, one in enumerate(alone)
    )


def _alone(name: str, right: npt.NDArray[np.bool_], confidence: float) -> ClassAccuracy:
    """Measures one class without a baseline."""
    found, images = int(right.sum()), len(right)
    if not images:
        told = "Not measured: there is no image of this class."
        nothing = Measurement("class_accuracy", None, "fraction", confidence=confidence, method=told)
        return ClassAccuracy(name, 0, nothing)
    value, low, high = wilson_interval(found, images, confidence)
    told = f"{found:,} of the class's {images:,} images classified rightly; Wilson interval."
    return ClassAccuracy(
        name, images, Measurement("class_accuracy", value, "fraction", low, high, confidence, told)
    )


def _compared(
    one: ClassAccuracy, gained: int, lost: int, p: float, corrected: float, classes: int, confidence: float
) -> ClassAccuracy:
    """Adds what differs from the baseline."""
    value, low, high = paired_difference(gained, lost, one.images, confidence)
    split = f"{gained:,} images only this one gets right, {lost:,} only the baseline"
    difference = Measurement(
        name="class_difference",
        value=value,
        unit="fraction",
        low=low,
        high=high,
        confidence=confidence,
        method=f"Class accuracy minus the baseline's on the same images ({split}); Tango's paired interval, "
        "of this class alone.",
    )
    tested = Measurement(
        name="class_p",
        value=corrected,
        unit="probability",
        confidence=confidence,
        method=f"McNemar's test against the baseline, mid-p {p:.4g}, corrected for {classes} classes with "
        "Holm's method.",
    )
    return ClassAccuracy(
        one.name, one.images, one.accuracy, difference, tested, changed=corrected <= 1 - confidence
    )
