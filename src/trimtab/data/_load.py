"""load_data: from a name or a path to train, validation and test images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trimtab.data._files import existing, home_expanded, shown
from trimtab.data._image_data import ImageData, Split, checked_range, checked_size, digest_of
from trimtab.data._named import NAMED_SETS, named_set, set_name
from trimtab.data._open import open_source
from trimtab.data._source import Choice, Source, array_source
from trimtab.data._splitting import stratified
from trimtab.errors import ConfigError, DataNotFoundError, nearest

__all__ = ["RESIZES", "from_arrays", "load_data"]

_NOW, _ON_THE_FLY = RESIZES = ("now", "on-the-fly")


def load_data(
    source: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    validation: float = 0.1,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    resize: str = "now",
    channels: int | None = None,
    input_range: tuple[float, float] = (0.0, 1.0),
    test: float = 0.2,
    limit: int | None = None,
    download: bool = True,
) -> ImageData:
    """Loads images to train on, to choose by and to test on, from a named set or your own files.

    Your own files may be a folder or zip of images (``train/<class>/*.jpg`` and ``test/``, or
    ``<class>/*.jpg`` alone), a folder of IDX files as MNIST has them, or an ``.npz`` (x_train, y_train, ...).
    A name goes before a file of that name: write ``./mnist`` for your own folder. ::

        data = load_data("fashion_mnist")
        data = load_data("flowers.zip", size=(64, 64))
        data = load_data("cifar10", size=(224, 224), resize="on-the-fly")

    Args:
        source: ``"digits"``, ``"mnist"``, ``"fashion_mnist"``, ``"cifar10"``, or a path.
        data_dir: folder in which named sets are looked for first; the variable TRIMTAB_DATA by default.
        validation: share of the training images that is set aside to choose by, the same from each class.
            Not used where the files have a validation part. 0 sets none aside.
        seed: decides which images are set aside.
        size: (height, width) to resize to, bilinearly, over the whole of what is shrunk; None leaves images
            as they are, which must then be equal.
        resize: ``"now"``, once, which keeps the resized images as 0..255 in memory; or ``"on-the-fly"``,
            which keeps the images as they are (all of one size) and resizes each when a model is given it,
            without rounding. So 60,000 images at 224x224 need no 9 GB. Augmentation then moves the pixels of
            the images as they are kept, before they are resized.
        channels: 1 for grey, 3 for colour; None leaves them as they are.
        input_range: what black and white become for the model.
        test: share that is set aside to test on, where the files have no test part.
        limit: at most so many training images (validation included), and as many to test on.
        download: whether Keras may download a named set that is nowhere to be found.

    Raises:
        DataNotFoundError: nothing is there; for a named set, the message lists where it was looked for.
        DataError: what is there cannot be used; the message says what came, what was needed, what to do.
        ConfigError: an argument makes no sense.
    """
    _check(validation, test, channels, limit, seed)
    size = None if size is None else checked_size(size)
    _check_resize(resize, size)
    input_range = checked_range(input_range)
    known = set_name(source) if isinstance(source, str) else None
    if known is not None:
        found = named_set(known, home_expanded(data_dir) if data_dir is not None else None, download)
        name = known
    else:
        path = home_expanded(source)
        _check_spelling(source, path)
        found = open_source(path)
        name = path.resolve().stem if path.is_file() else path.resolve().name
    choices = _choose(found, validation, test, limit, seed)
    return _assemble(found, choices, name, size, resize, channels, input_range)


def from_arrays(
    train: tuple[Any, Any],
    test: tuple[Any, Any] | None = None,
    *,
    validation: tuple[Any, Any] | float = 0.1,
    class_names: Sequence[str] | None = None,
    name: str = "arrays",
    seed: int = 0,
    input_range: tuple[float, float] = (0.0, 1.0),
    test_share: float = 0.2,
) -> ImageData:
    """Makes image data of arrays that you already have, with the same checks as `load_data`.

    Args:
        train: images (n, height, width[, 1 or 3]) and labels (n,).
        test: the same; None sets `test_share` of the training images aside.
        validation: the same, or the share of the training images to set aside.
        class_names: one for each label; the numbers by default.
        name: what to call the data in tables and reports.
        seed: decides which images are set aside.
        input_range: what black and white become for the model.
        test_share: share to test on where `test` is None.

    Raises:
        DataError: the arrays cannot be used; the message says why.
        ConfigError: an argument makes no sense.
    """
    share = 0.0 if isinstance(validation, tuple) else validation
    _check(share, test_share, None, None, seed)
    given = {
        "train": train,
        "validation": validation if isinstance(validation, tuple) else None,
        "test": test,
    }
    pairs = {
        part: (np.asarray(pair[0]), np.asarray(pair[1])) for part, pair in given.items() if pair is not None
    }
    where = {part: f"{name} ({part})" for part in pairs}
    images = {part: pair[0] for part, pair in pairs.items()}
    labels = {part: pair[1] for part, pair in pairs.items()}
    found = array_source(images, labels, where, "arrays", class_names)
    choices = _choose(found, share, test_share, None, seed)
    return _assemble(found, choices, name, None, _NOW, None, checked_range(input_range))


def _choose(
    source: Source, validation: float, test: float, limit: int | None, seed: int
) -> Mapping[str, Choice]:
    """Decides which image goes where, by the labels alone."""
    names = source.class_names
    if limit is not None and limit < 2 * len(names):
        raise ConfigError(
            f"limit is {limit}; at least {2 * len(names)}, two for each of {len(names)} classes, is needed."
        )
    chosen = {part: np.arange(len(labels)) for part, labels in source.labels.items()}
    origin = {"train": "train", "validation": "validation", "test": "test"}
    if "test" not in chosen:
        labels = source.labels["train"]
        # Each class keeps two: one to learn from, one that may be set aside for validation.
        spare = 2 if validation and "validation" not in chosen else 1
        count = round(len(labels) * test)
        chosen["train"], chosen["test"] = stratified(labels, count, seed, "test", names, spare)
        origin["test"] = "train"
    if limit is not None:
        for part, indices in chosen.items():
            if len(indices) > limit:
                labels = source.labels[origin[part]][indices]
                kept = stratified(labels, limit, seed, f"limited {part}", names, spare=0)[1]
                chosen[part] = indices[kept]
    if "validation" not in chosen:
        labels = source.labels["train"][chosen["train"]]
        count = max(round(len(labels) * validation), len(names) if validation else 0)
        left, aside = stratified(labels, count, seed, "validation", names)
        chosen["train"], chosen["validation"] = chosen["train"][left], chosen["train"][aside]
        origin["validation"] = "train"
    return {part: (origin[part], chosen[part]) for part in ("train", "validation", "test")}


def _assemble(
    source: Source,
    choices: Mapping[str, Choice],
    name: str,
    size: tuple[int, int] | None,
    resize: str,
    channels: int | None,
    input_range: tuple[float, float],
) -> ImageData:
    """Reads the chosen images and puts everything together."""
    images = source.read(list(choices.values()), size if resize == _NOW else None, channels)
    splits = {
        part: Split(pixels, source.labels[origin][indices], input_range, None if resize == _NOW else size)
        for pixels, (part, (origin, indices)) in zip(images, choices.items(), strict=True)
    }
    digest = digest_of(splits, source.class_names)
    return ImageData(name, **splits, class_names=source.class_names, origin=source.origin, digest=digest)


def _check(
    validation: float,
    test: float,
    channels: int | None,
    limit: int | None,
    seed: int,
) -> None:
    """Raises `ConfigError` for arguments that make no sense."""
    if not 0 <= validation < 1:
        raise ConfigError(
            f"validation is {validation!r}; it needs a share of the training images: 0 <= share < 1."
        )
    if not 0 < test < 1:
        raise ConfigError(f"test is {test!r}; it needs a share of the images: 0 < share < 1.")
    if channels not in (None, 1, 3):
        raise ConfigError(f"channels is {channels!r}; it needs 1 (grey) or 3 (red, green, blue).")
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit!r}; it needs a number of images, 1 or more.")
    if seed < 0:
        raise ConfigError(f"seed is {seed!r}; it needs a whole number, 0 or more.")


def _check_resize(resize: str, size: tuple[int, int] | None) -> None:
    """Raises `ConfigError` for a way of resizing that is not known, or has no size."""
    if resize not in RESIZES:
        raise ConfigError(
            f"resize is {resize!r}; it needs one of {', '.join(RESIZES)}.{nearest(str(resize), RESIZES)}"
        )
    if resize != _NOW and size is None:
        raise ConfigError(f"resize={resize!r} needs a size to resize to. Give size=(height, width).")


def _check_spelling(source: str | os.PathLike[str], path: Path) -> None:
    """Raises `DataNotFoundError` for a word that is neither a set nor a path."""
    if not isinstance(source, str) or path.name != source or path.suffix:
        return
    try:
        existing(path)
    except DataNotFoundError as error:
        raise DataNotFoundError(
            f"{shown(source)!r} is neither a named set ({', '.join(NAMED_SETS)}) nor a file or folder."
            f"{nearest(source, [*NAMED_SETS, 'fashion-mnist'])} Check the spelling or the path."
        ) from error
