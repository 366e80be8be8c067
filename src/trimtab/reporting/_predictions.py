"""Reading what was predicted: for the confusion matrix, the worst mistakes and the paired tests."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from trimtab.errors import RunError
from trimtab.reporting._confusion import confusion_of
from trimtab.reporting._data import Confusion, Mistakes

__all__ = ["check_classes", "check_images", "read_arrays", "read_confusion", "read_mistakes"]


def read_confusion(
    path: Path, arrays: dict[str, np.ndarray], featured: str | None, names: tuple[str, ...]
) -> Confusion | None:
    """Builds the confusion matrix of the featured row; None where its predictions were not kept."""
    key = f"{featured}.classes"
    if featured is None or not names or "labels" not in arrays or key not in arrays:
        return None
    labels, predicted = arrays["labels"], arrays[key]
    check_classes(path, labels, len(names))
    check_classes(path, predicted, len(names))
    if labels.shape != predicted.shape:
        raise RunError(
            f"{path} has {len(labels)} labels and {len(predicted)} predictions. It is damaged; run again."
        )
    return confusion_of(featured, labels, predicted, names)


def read_mistakes(folder: Path, featured: str | None, names: tuple[str, ...]) -> Mistakes | None:
    """Reads the featured row's worst mistakes; None where none were kept."""
    path = folder / "benchmark" / "mistakes.npz"
    if featured is None or not names or not path.is_file():
        return None
    arrays = read_arrays(path)
    wanted = ("images", "labels", "classes", "confidence")
    if missing := [key for key in wanted if key not in arrays]:
        raise RunError(
            f"{path} lacks {', '.join(missing)}. It is damaged; run the recipe again with --resume."
        )
    images, labels, classes, confidence = (arrays[key] for key in wanted)
    check_images(path, images, (labels, classes, confidence))
    for numbers in (labels, classes):
        check_classes(path, numbers, len(names))
    return Mistakes(featured, images, labels, classes, confidence.astype(np.float64))


def check_images(path: Path, images: np.ndarray, beside: tuple[np.ndarray, ...]) -> None:
    """Raises `RunError` unless these are images that can be drawn, and what is said beside is as long."""
    whole = images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1] in (1, 3)
    if not whole or any(len(each) != len(images) for each in beside):
        raise RunError(
            f"{path} has images of type {images.dtype} and shape {images.shape} for {len(beside[0])} labels, "
            "where uint8 and (k, h, w, 1 or 3) were needed. "
            "It is damaged; run the recipe again with --resume."
        )


def check_classes(path: Path, numbers: np.ndarray, classes: int) -> None:
    """Raises `RunError` unless these are (n,) numbers of classes."""
    whole = numbers.ndim == 1 and numbers.dtype.kind in "iu"
    if not whole or (len(numbers) and (int(numbers.min()) < 0 or int(numbers.max()) >= classes)):
        raise RunError(
            f"{path} holds class numbers outside 0..{classes - 1}. "
            "It is damaged or of another run; run the recipe again."
        )


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a file; never unpickles."""
    try:
        # Opened here, since NumPy leaves the file open when it is no whole archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        AttributeError,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
    ) as error:
        raise RunError(
            f"{path} cannot be read ({type(error).__name__}). "
            "It is damaged; run the recipe again with --resume."
        ) from error
