"""How much accuracy models lose on spoilt images, against what the baseline loses on the same ones."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trimtab._statistics import mean_interval, paired_difference, wilson_interval
from trimtab.benchmarking._answers import judged
from trimtab.benchmarking._corruption import Corruption
from trimtab.benchmarking._measurement import Measurement
from trimtab.data._image_data import scaled
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.benchmarking._subject import Subject
    from trimtab.data import Split
    from trimtab.progress import Task

__all__ = ["Robustness", "RobustnessLevel", "check_corruption", "right_when_corrupted", "robustness"]

Right = npt.NDArray[np.bool_]
_STREAM = 0x726F62  # keeps these draws apart from all others of the same seed
_CHUNK = 256


@dataclass(frozen=True)
class RobustnessLevel:
    """Accuracy on images that are spoilt in one way, at one strength.

    Args:
        kind: what was done to them, such as ``"noise"``.
        strength: how strongly.
        unit: of the strength.
        accuracy: share of them classified rightly, with Wilson's interval.
        drop: accuracy on the same images unspoilt minus this one, with Tango's paired interval.
        extra_drop: drop minus the baseline's own drop, paired image by image: above 0, the model suffers more
            than the baseline; None for the baseline itself.
    """

    kind: str
    strength: float
    unit: str
    accuracy: Measurement
    drop: Measurement
    extra_drop: Measurement | None = None


@dataclass(frozen=True)
class Robustness:
    """What spoilt images cost.

    Args:
        images: how many the corruptions were tried on.
        clean_accuracy: on these images, unspoilt.
        mean_accuracy: mean over all levels of the accuracy on spoilt images.
        mean_drop: mean over all levels of the drop.
        mean_extra_drop: mean over all levels of the drop minus the baseline's; None for the baseline itself.
        changed: whether the interval of that lies beside 0.
        levels: one a corruption, in the order given.
    """

    images: int
    clean_accuracy: Measurement
    mean_accuracy: Measurement
    mean_drop: Measurement
    mean_extra_drop: Measurement | None
    changed: bool
    levels: tuple[RobustnessLevel, ...]


def check_corruption(corruption: Any) -> None:
    """Raises `ConfigError` unless it is a corruption with a strength."""
    if not isinstance(corruption, Corruption):
        raise ConfigError(
            "corruptions must be a list such as [GaussianNoise(0.1), Shift(2)]. "
            f"Received: {type(corruption).__name__} in it."
        )


def right_when_corrupted(
    subjects: Sequence[Subject],
    images: Split,
    corruptions: Sequence[Corruption],
    seed: int,
    task: Task,
) -> dict[str, Right]:
    """Asks all subjects for the same spoilt images.

    Args:
        subjects: models and files that were checked.
        images: what to spoil.
        corruptions: in which ways; each kind has random numbers of its own, the same at each strength.
        seed: of the random numbers.
        task: told how many images are done, over all subjects.

    Returns:
        By subject, (corruptions, n) bool, whether it is right.
    """
    right = {one.name: np.zeros((len(corruptions), len(images)), np.bool_) for one in subjects}
    probabilities = {one.name: one.probabilities for one in subjects}  # takes a Keras model long to tell
    for row, corruption in enumerate(corruptions):
        random = np.random.default_rng([_STREAM, seed, zlib.crc32(corruption.kind.encode())])
        for start in range(0, len(images), _CHUNK):
            part = images.take(slice(start, start + _CHUNK))
            inputs = part.prepared(corruption.apply(scaled(part.images, (0.0, 1.0)), random))
            for one in subjects:
                given = judged(
                    one.scores(inputs), part.labels, probabilities=probabilities[one.name], name=one.name
                )
                right[one.name][row, start : start + len(part)] = given.right
                task.advance(len(part))
    return right


def robustness(
    right: Right,
    clean: Right,
    baseline: tuple[Right, Right] | None,
    corruptions: Sequence[Corruption],
    confidence: float,
) -> Robustness:
    """Compares spoilt images with unspoilt ones, and a model with the baseline.

    Args:
        right: (corruptions, n), whether the model is right on spoilt images.
        clean: (n,), whether it is on the same ones unspoilt.
        baseline: the same two of the baseline; None for the baseline itself.
        corruptions: what was done, one a row of `right`.
        confidence: of every interval.
    """
    lost = clean[np.newaxis].astype(np.int8) - right.astype(np.int8)  # -1, 0 or 1 for each image and level
    extra = None if baseline is None else lost - (baseline[1].astype(np.int8) - baseline[0].astype(np.int8))
    levels = tuple(
        _level(corruption, right[row], clean, None if extra is None else extra[row], confidence)
        for row, corruption in enumerate(corruptions)
    )
    worse = None
    if extra is not None:
        told = f"Mean over {len(levels)} corruptions of the drop minus the baseline's own, image by image"
        worse = _paired("mean_extra_drop", extra.mean(axis=0), confidence, told)
    images = right.shape[1]
    return Robustness(
        images=images,
        clean_accuracy=_accuracy("clean_accuracy", clean, "unspoilt", confidence),
        mean_accuracy=_mean("mean_accuracy", right.mean(axis=0), len(levels), "accuracy", confidence),
        mean_drop=_mean("mean_drop", lost.mean(axis=0), len(levels), "accuracy lost", confidence),
        mean_extra_drop=worse,
        changed=worse is not None and worse.excludes(0),
        levels=levels,
    )


def _level(
    corruption: Corruption, right: Right, clean: Right, extra: npt.NDArray[np.int8] | None, confidence: float
) -> RobustnessLevel:
    """Measures one corruption."""
    lost, gained = int((clean & ~right).sum()), int((right & ~clean).sum())
    value, low, high = paired_difference(lost, gained, len(right), confidence)
    told = f"{lost:,} images right only unspoilt, {gained:,} right only spoilt; Tango's paired interval."
    worse = None
    if extra is not None:
        worse = _paired("extra_drop", extra, confidence, "Drop minus the baseline's own, image by image")
    return RobustnessLevel(
        kind=corruption.kind,
        strength=float(corruption.strength),
        unit=corruption.unit,
        accuracy=_accuracy("corrupted_accuracy", right, "spoilt", confidence),
        drop=Measurement("accuracy_drop", value, "fraction", low, high, confidence, told),
        extra_drop=worse,
    )


def _accuracy(name: str, right: Right, which: str, confidence: float) -> Measurement:
    """Measures the accuracy on some images."""
    value, low, high = wilson_interval(int(right.sum()), len(right), confidence)
    told = f"{int(right.sum()):,} of {len(right):,} {which} images classified rightly; Wilson interval."
    return Measurement(name, value, "fraction", low, high, confidence, told)


def _mean(
    name: str, each: npt.NDArray[np.floating[Any]], levels: int, what: str, confidence: float
) -> Measurement:
    """Measures a mean over levels, whose spread is that between images."""
    value, low, high = mean_interval(each, confidence)
    how = "no interval, of one image" if low is None else "interval of +- z standard errors over the images"
    told = f"Mean over {levels} corruptions of the {what} on {len(each):,} images; {how}."
    return Measurement(name, value, "fraction", low, high, confidence, told)


def _paired(
    name: str, each: npt.NDArray[np.floating[Any] | np.int8], confidence: float, what: str
) -> Measurement:
    """Measures a mean of paired differences with the adjusted Wald interval.

    Two imagined images, one for each side, keep it from shrinking to nothing where hardly any image differs
    (Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based
    on paired data").
    """
    exact = each.astype(np.float64)
    value = float(exact.mean())
    _, low, high = mean_interval(np.concatenate([exact, [-1.0, 1.0]]), confidence)
    told = f"{what}, on {len(each):,} images; Bonett and Price's adjusted Wald interval."
    low, high = (value if end is None else end for end in (low, high))
    return Measurement(name, value, "fraction", min(low, value), max(high, value), confidence, told)
