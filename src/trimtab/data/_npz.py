"""NumPy archives: arrays under the names that Keras, or most people, give them. Never unpickled."""

from __future__ import annotations

import io
import zipfile
import zlib

import numpy as np

from trimtab.data._files import open_zip, shorten
from trimtab.data._source import Source, array_source
from trimtab.errors import DataError

__all__ = ["read_npz"]

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
            return _from_archive(archive, where, class_names)
    except (ValueError, EOFError, OSError, KeyError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{where} holds pickled Python objects, which could run code when they are loaded; plain "
                "arrays "
                "of numbers were needed. Save it again with np.savez_compressed and arrays of numbers."
            ) from error
        raise DataError(
            f"{where} is damaged or no NumPy archive ({shorten(error)}). Make or download it again."
        ) from error


def _from_archive(archive: np.lib.npyio.NpzFile, where: str, class_names: tuple[str, ...] | None) -> Source:
    """Picks the pairs of arrays, by name."""
    keys = {key.lower(): key for key in archive.files}
    images, labels, named = {}, {}, {}
    for part, image_key, label_key in _PAIRS:
        if part in images or not {image_key, label_key} <= keys.keys():
            continue
        images[part], labels[part] = archive[keys[image_key]], archive[keys[label_key]]
        named[part] = f"{where} ({keys[image_key]}, {keys[label_key]})"
    if "train" not in images:
        raise DataError(
            f"{where} holds the arrays {', '.join(sorted(archive.files)) or '(none)'}; x_train and y_train "
            "(and "
            "x_test, y_test), train_images and train_labels, or images and labels were needed. Rename them."
        )
    if class_names is None and "class_names" in keys:
        class_names = tuple(str(name) for name in np.atleast_1d(archive[keys["class_names"]]))
    return array_source(images, labels, named, where, class_names)
