"""Labels: whole numbers from 0, each class with images to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trimtab.errors import DataError

__all__ = ["as_labels", "check_classes"]


def as_labels(labels: np.ndarray, images: int, where: str) -> np.ndarray:
    """Returns labels as int64 of shape (n,), or says why they cannot be used.

    Args:
        labels: (n,) or (n, 1), of any numeric type.
        images: how many images there are.
        where: what to call the arrays in messages.

    Raises:
        DataError: not numbers, not whole, negative, or not one for each image.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(
            f"{where}: the labels have shape {labels.shape}; one number for each image was needed. "
            "One-hot labels become numbers with np.argmax(labels, axis=1)."
        )
    if len(labels) != images:
        raise DataError(
            f"{where}: there are {images} images but {len(labels)} labels; one label for each image was "
            "needed. Check that both belong together and are whole."
        )
    if not (np.issubdtype(labels.dtype, np.integer) or np.issubdtype(labels.dtype, np.floating)):
        raise DataError(
            f"{where}: the labels are of type {labels.dtype}; whole numbers from 0 were needed. "
            "Number the classes, and give their names as class_names."
        )
    if np.issubdtype(labels.dtype, np.floating):
        _refuse(labels, ~np.isfinite(labels) | (labels != np.floor(labels)), "is not a whole number", where)
    _refuse(labels, labels < 0, "is negative", where)
    _refuse(labels, labels > 2**31, "is far out of range", where)
    return labels.astype(np.int64)


def check_classes(
    labels: Mapping[str, np.ndarray], where: Mapping[str, str], class_names: Sequence[str] | None
) -> tuple[str, ...]:
    """Checks that labels and classes fit each other, and returns the classes' names.

    Args:
        labels: of each part, as `as_labels` returns them.
        where: what to call each part's arrays in messages.
        class_names: one for each label; the labels themselves by default.

    Raises:
        DataError: a label out of range, a class without training images, or one class only.
    """
    train = labels["train"]
    classes = len(class_names) if class_names is not None else int(train.max(initial=-1)) + 1
    if len(train) and train.min() == train.max():
        only = class_names[train[0]] if class_names and train[0] < classes else str(train[0])
        raise DataError(
            f"{where['train']}: the training images are of one class only, {only!r}; a classifier needs at "
            "least two. Add images of other classes."
        )
    for part, numbers in labels.items():
        wrong = np.flatnonzero(numbers >= classes)
        if len(wrong):
            known = "the class names go" if class_names is not None else "the training labels go"
            raise DataError(
                f"{where[part]}: label {numbers[wrong[0]]} (image {wrong[0]}) is out of range: {known} from "
                f"0 to {classes - 1}. Correct the label, or remove the image."
            )
    names = tuple(class_names) if class_names is not None else _numbered(classes, train, where["train"])
    if len(set(names)) != len(names):
        raise DataError(f"{where['train']}: two classes have the same name. Give each class its own.")
    present = np.bincount(train, minlength=classes) > 0
    if not present.all():
        empty = names[int(np.flatnonzero(~present)[0])]
        raise DataError(
            f"{where['train']}: class {empty!r} has no training images. "
            "Add some, or number the classes from 0 without gaps."
        )
    return names


def _numbered(classes: int, train: np.ndarray, where: str) -> tuple[str, ...]:
    """Returns "0", "1", ...; a label beyond the number of images is a mistake, not a class."""
    if classes > len(train):
        raise DataError(
            f"{where}: label {classes - 1} is out of range: {len(train)} training images cannot fill so many "
            "classes. Number the classes from 0 without gaps."
        )
    return tuple(str(number) for number in range(classes))


def _refuse(labels: np.ndarray, wrong: np.ndarray, why: str, where: str) -> None:
    """Raises `DataError` that names the first wrong label, if there is one."""
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DataError(
            f"{where}: label {labels[first]} (image {first}) {why}; labels must be whole numbers from 0. "
            "Correct it, or check that this is the labels' file."
        )
