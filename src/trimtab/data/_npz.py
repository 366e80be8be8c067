"""NumPy archives: arrays under the names that Keras, or most people, give them. Never unpickled."""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np

from trimtab.data._files import open_zip, shorten
from trimtab.data._source import Source, array_source
from trimtab.errors import DataError

__all__ = ["read_npz"]

# What zip and NumPy raise for content that is not theirs.
_DAMAGED = (
    AttributeError, EOFError, IndexError, KeyError, MemoryError, NotImplementedError, OSError, OverflowError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip

# (part, images, labels): names that are understood, most telling first.
_PAIRS = (
    ("train", "x_train", "y_train"),
    ("train", "train_images", "train_labels"),
    ("train", "images", "labels"),
    ("train", "x", "y"),
    ("validation", "x_val", "y_val"),
    ("validation", "x_validation", "y_validation"),
    ("validation", "val_images", "val_labels"),
    ("validation", "validation_images", "validation_labels"),
    ("test", "x_test", "y_test"),
    ("test", "test_images", "test_labels"),
)


def read_npz(content: bytes, where: str, class_names: tuple[str, ...] | None = None) -> Source:
    """Reads an ``.npz``: x_train, y_train, x_test, y_test; or train_images ...; or images, labels.

    An array ``class_names`` of text names the classes. Parts for validation and test may be missing.

    Args:
        content: the file's bytes.
        where: what to call it in messages.
        class_names: one for each label, where the caller knows them.

    Raises:
        DataError: damaged, without arrays of these names, or with pickled objects, which could run code.
    """
    with open_zip(io.BytesIO(content), where):
        pass  # checked for what np.load does not check: zip bombs, damage
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays, names = _picked(archive, where)
    except _DAMAGED as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{where} holds pickled Python objects, which could run code when they are loaded; plain "
                "arrays "
                "of numbers were needed. Save it again with np.savez_compressed and arrays of numbers."
            ) from error
        raise DataError(
            f"{where} is damaged or no NumPy archive ({shorten(error)}). Make or download it again."
        ) from error
    images = {part: pair[0] for part, (pair, _) in arrays.items()}
    labels = {part: pair[1] for part, (pair, _) in arrays.items()}
    named = {part: place for part, (_, place) in arrays.items()}
    return array_source(images, labels, named, where, class_names if class_names is not None else names)


def _picked(
    archive: np.lib.npyio.NpzFile, where: str
) -> tuple[dict[str, tuple[tuple[np.ndarray, np.ndarray], str]], tuple[str, ...] | None]:
    """Reads the pairs of arrays, by name: each part's images and labels and their place; the class names."""
    keys = {key.lower(): key for key in archive.files}
    picked: dict[str, tuple[tuple[np.ndarray, np.ndarray], str]] = {}
    for part, image_key, label_key in _PAIRS:
        if part in picked or not {image_key, label_key} <= keys.keys():
            continue
        pair = _array(archive, keys[image_key]), _array(archive, keys[label_key])
        picked[part] = pair, f"{where} ({keys[image_key]}, {keys[label_key]})"
    if "train" not in picked:
        raise DataError(
            f"{where} holds the arrays {', '.join(sorted(archive.files)) or '(none)'}; x_train and y_train "
            "(and "
            "x_test, y_test), train_images and train_labels, or images and labels were needed. Rename them."
        )
    if "class_names" not in keys:
        return picked, None
    names = np.atleast_1d(_array(archive, keys["class_names"]))
    return picked, tuple(str(name) for name in names)


def _array(archive: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
    """Reads one array; NumPy gives a member that is none as plain bytes."""
    value: Any = archive[key]
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{key} is no NumPy array")
    return value
