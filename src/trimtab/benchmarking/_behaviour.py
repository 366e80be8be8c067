"""The verb for what accuracy alone does not show: lost classes, changed answers, calibration, robustness."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab._versions import versions
from trimtab.benchmarking._behaviour_result import BehaviourResult, BehaviourRow
from trimtab.benchmarking._behaviour_words import verdict
from trimtab.benchmarking._calibration import Calibration, calibrations
from trimtab.benchmarking._changed_answers import changed_answers
from trimtab.benchmarking._class_accuracy import class_accuracies
from trimtab.benchmarking._corruption import Corruption, usual_corruptions
from trimtab.benchmarking._measurement import Predictions
from trimtab.benchmarking._robustness import Robustness, check_corruption, right_when_corrupted, robustness
from trimtab.benchmarking._subjects import asked, named_baseline, opened, split_of
from trimtab.errors import ConfigError
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    import keras

    from trimtab.benchmarking._subject import Subject
    from trimtab.data import ImageData, Split
    from trimtab.exporting import Artifact

__all__ = ["compare_behaviour"]

_STREAM = 0x737562  # which images are spoilt, apart from all other draws of the same seed


@dataclass(frozen=True)
class _Settings:
    """How to compare; see `compare_behaviour`."""

    corruptions: tuple[Corruption, ...]
    corrupted_images: int | None
    bins: int
    resamples: int
    confidence: float
    seed: int

    def __post_init__(self) -> None:
        for corruption in self.corruptions:
            check_corruption(corruption)
        for name, least in (("corrupted_images", 1), ("bins", 1), ("resamples", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is None and name == "corrupted_images":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(
                    f"{name} must be a whole number of {least} or more. Received: {name}={value!r}."
                )
        if not 0 < self.confidence < 1:
            raise ConfigError(
                f"confidence must lie between 0 and 1, such as 0.95. "
                f"Received: confidence={self.confidence!r}."
            )


def compare_behaviour(
    subjects: Mapping[str, keras.Model | Artifact | Path | str],
    data: ImageData,
    *,
    baseline: str | None = None,
    threads: int = 1,
    split: str = "test",
    corruptions: Sequence[Corruption] | None = None,
    corrupted_images: int | None = 1000,
    bins: int = 15,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    predictions: Mapping[str, Predictions] | None = None,
    progress: Progress | None = None,
) -> BehaviourResult:
    """Shows what a compressed model does otherwise than the one it came from, beside its accuracy.

    Against the baseline, on the same images: the accuracy of each class, with a paired test that is corrected
    for the number of classes; the images whose answer changed; how far confidence is from accuracy; and what
    noise, shifts, brightness and contrast cost. A model that lost a class shows it here, though its accuracy
    may hardly tell.

    Args:
        subjects: by name, a Keras model, an `Artifact`, or the path of a `.keras`, `.h5` or `.tflite` file.
        data: the images; they must be scaled as the models were trained.
        baseline: name of the subject that the others are compared with; the first by default.
        threads: of the LiteRT interpreters; a Keras backend keeps its own.
        split: ``"test"``, ``"validation"`` or ``"train"``.
        corruptions: how images are spoilt; `usual_corruptions` by default, none for an empty list. Pixels are
            0 to 1 to them, whatever the model takes.
        corrupted_images: how many images, drawn by chance, are spoilt in each way; None for all.
        bins: of the calibration error.
        resamples: of the bootstrap behind its interval.
        confidence: of every interval; a class has changed where its corrected p is at most 1 - confidence.
        seed: of the noise, of the shifts, of the choice of images and of the bootstrap.
        predictions: by name, what `benchmark` was told by the same subjects on the same split: spares asking
            again for those that it has.
        progress: where progress is shown; nowhere by default.

    Raises:
        ConfigError: an argument makes no sense, or a subject is of an unknown kind.
        ModelError: a model or file cannot be read, or does not fit the data.
        DataError: the split holds no image.

    Example::

        print(trimtab.compare_behaviour({"float": model, "int8": "digits.tflite"}, data))
    """
    first = named_baseline(subjects, baseline, "compare_behaviour")
    images = split_of(data, split)
    stored_height, stored_width = images.images.shape[1:3]
    wanted = usual_corruptions(stored_height, stored_width) if corruptions is None else tuple(corruptions)
    settings = _Settings(wanted, corrupted_images, bins, resamples, confidence, seed)
    measured = opened(subjects, data, threads)
    shown = progress if progress is not None else Silent()
    given = {one.name: _predicted(one, images, predictions, shown) for one in measured}
    calibrated = calibrations(
        {name: each.confidence for name, each in given.items()},
        {name: each.classes == images.labels for name, each in given.items()},
        first,
        bins=bins,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )
    spoilt = _robustness(measured, images, given, first, settings, shown)
    rows = [
        _row(one.name, first, given, images, tuple(data.class_names), calibrated, spoilt, confidence)
        for one in measured
    ]
    start = next(row for row in rows if row.name == first)
    return BehaviourResult(
        rows=tuple(dataclasses.replace(row, verdict=verdict(row, start)) for row in rows),
        baseline=first,
        class_names=tuple(data.class_names),
        settings=_told(settings, data, split, len(images)),
        versions=versions(),
    )


def _predicted(
    one: Subject, images: Split, known: Mapping[str, Predictions] | None, shown: Progress
) -> Predictions:
    """Gives the answers of one subject: those that are known, or else it is asked."""
    if known is None or one.name not in known:
        return asked(one, images, shown).predictions
    found = known[one.name]
    if len(found) != len(images):
        raise ConfigError(
            f"predictions of {one.name!r} are of {len(found)} images, but the split has {len(images)}. "
            "Give those that benchmark() made of the same data and split, or none."
        )
    return found


def _robustness(
    measured: list[Subject],
    images: Split,
    given: Mapping[str, Predictions],
    baseline: str,
    settings: _Settings,
    shown: Progress,
) -> dict[str, Robustness]:
    """Spoils some of the images in every way, and asks all subjects for them."""
    if not settings.corruptions:
        return {}
    chosen = np.arange(len(images))
    if settings.corrupted_images is not None and settings.corrupted_images < len(images):
        random = np.random.default_rng([_STREAM, settings.seed])
        chosen = np.sort(random.choice(len(images), settings.corrupted_images, replace=False))
    some = images.take(chosen)
    total = len(measured) * len(settings.corruptions) * len(chosen)
    with shown.task("spoil images", total, "images") as task:
        right = right_when_corrupted(measured, some, settings.corruptions, settings.seed, task)
    clean = {name: each.classes[chosen] == some.labels for name, each in given.items()}
    return {
        name: robustness(
            right[name],
            clean[name],
            None if name == baseline else (right[baseline], clean[baseline]),
            settings.corruptions,
            settings.confidence,
        )
        for name in right
    }


def _row(
    name: str,
    baseline: str,
    given: Mapping[str, Predictions],
    images: Split,
    class_names: tuple[str, ...],
    calibrated: Mapping[str, Calibration],
    spoilt: Mapping[str, Robustness],
    confidence: float,
) -> BehaviourRow:
    """Puts together how one subject behaves."""
    labels, own, theirs = images.labels, given[name].classes, given[baseline].classes
    is_baseline = name == baseline
    return BehaviourRow(
        name=name,
        classes=class_accuracies(
            own == labels, None if is_baseline else theirs == labels, labels, class_names, confidence
        ),
        calibration=calibrated[name],
        answers=None if is_baseline else changed_answers(own, theirs, labels, confidence),
        robustness=spoilt.get(name),
    )


def _told(settings: _Settings, data: ImageData, split: str, images: int) -> dict[str, Any]:
    """Returns how it was measured, as plain data."""
    asked_for = settings.corrupted_images
    return {
        "split": split,
        "images": images,
        "corrupted_images": images if asked_for is None else min(asked_for, images),
        "corruptions": [
            {"kind": each.kind, "strength": each.strength, "unit": each.unit} for each in settings.corruptions
        ],
        "bins": settings.bins,
        "resamples": settings.resamples,
        "confidence": settings.confidence,
        "correction": "Holm, over the classes of a row",
        "seed": settings.seed,
        "data": data.name,
        "digest": data.digest,
    }
