"""The models and files under measurement: named, opened, checked, and asked for their answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trimtab.benchmarking._answers import Answers, answers
from trimtab.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from trimtab.benchmarking._subject import Subject
    from trimtab.data import ImageData, Split
    from trimtab.progress import Progress

__all__ = ["SPLITS", "asked", "named_baseline", "opened", "split_of"]

SPLITS = ("test", "validation", "train")


def named_baseline(subjects: Mapping[str, Any], baseline: str | None, verb: str) -> str:
    """Gives the name of the baseline, after checking the names.

    Args:
        subjects: what is to be measured, by name.
        baseline: the name asked for; None for the first.
        verb: who asks, for the error.

    Raises:
        ConfigError: there is no subject, a name is empty, or none is called like the baseline.
    """
    if not isinstance(subjects, Mapping) or not subjects:
        came = "no subject" if isinstance(subjects, Mapping) else f"a {type(subjects).__name__}"
        raise ConfigError(
            f"{verb} needs at least one subject, by name, such as {{'float': model, 'int8': 'a.tflite'}}. "
            f"Received: {came}."
        )
    odd = [name for name in subjects if not isinstance(name, str) or not name.strip()]
    if odd:
        raise ConfigError(f"The name of a subject must be a text that is not empty. Received: {odd[0]!r}.")
    if baseline is not None and baseline not in subjects:
        raise ConfigError(
            f"baseline must be one of the subjects {list(subjects)}. Received: baseline={baseline!r}."
            f"{nearest(baseline, subjects)}"
        )
    return next(iter(subjects)) if baseline is None else baseline


def split_of(data: ImageData, split: str) -> Split:
    """Gives a part of the data, which must hold an image.

    Raises:
        ConfigError: there is no such part.
        DataError: it is empty.
    """
    if split not in SPLITS:
        raise ConfigError(
            f"split must be one of {', '.join(SPLITS)}. Received: split={split!r}."
            f"{nearest(str(split), SPLITS)}"
        )
    images: Split = getattr(data, split)
    if len(images) == 0:
        raise DataError(f"The {split} part of {data.name} holds no image, so nothing can be measured on it.")
    return images


def opened(subjects: Mapping[str, Any], data: ImageData, threads: int) -> list[Subject]:
    """Opens and checks every subject before the first is measured."""
    # Imported here: the backend loads with them, and `machine()` must do without.
    from trimtab.benchmarking import _keras_subject, _litert_subject  # noqa: F401 - they register themselves
    from trimtab.benchmarking._subject import subject

    found = [subject(source, name, threads) for name, source in subjects.items()]
    for one in found:
        one.check(data)
    return found


def asked(one: Subject, images: Split, shown: Progress) -> Answers:
    """Asks one subject for all images."""
    with shown.task(f"evaluate {one.name}", len(images), "images") as task:
        return answers(
            lambda start, stop: one.scores(images.inputs(start, stop)),
            images.labels,
            probabilities=one.probabilities,
            name=one.name,
            advance=task.advance,
        )
