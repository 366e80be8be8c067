"""Image folders: each class is a folder, its name the class's name; in a folder on disk or in a zip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.data._decoding import SUFFIXES, decode
from trimtab.data._files import Files
from trimtab.data._labels import check_classes
from trimtab.data._source import Choice, Source
from trimtab.errors import DataError

__all__ = ["holds_images", "read_image_folder"]

_PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class _Found:
    """One image: where it is, and what the folders around it say."""

    name: str
    part: str
    folder: tuple[str, ...]

    @property
    def label(self) -> str:
        """The class's name."""
        return self.folder[-1]


def holds_images(files: Files) -> bool:
    """Tells whether there is any image."""
    return any(_is_image(name) for name in files.names)


def read_image_folder(files: Files) -> Source:
    """Reads ``train/<class>/*.jpg`` with ``test/`` and perhaps ``validation/``, or ``<class>/*.jpg`` alone.

    Classes are numbered in alphabetical order of their folders; folders that are all named by whole
    numbers go in the numbers' order. Folders inside a class folder belong to that class.

    Raises:
        DataError: images without a class folder, an empty class folder, or parts that do not fit together.
    """
    root, found = _sorted_out(files)
    _check_folders(files, root, found)
    train_names = _in_order({image.label for image in found if image.part == "train"})
    for image in found:
        if image.label not in train_names:
            raise DataError(
                f"{files.where}: class {image.label!r} is in the {image.part} part ({image.name}) but not "
                "in the training part. Use the same class folders in each part."
            )
    number = {name: index for index, name in enumerate(train_names)}
    names: dict[str, list[str]] = {}
    labels: dict[str, list[int]] = {}
    for image in found:
        names.setdefault(image.part, []).append(image.name)
        labels.setdefault(image.part, []).append(number[image.label])
    arrays = {part: np.array(numbers, np.int64) for part, numbers in labels.items()}
    check_classes(arrays, dict.fromkeys(arrays, files.where), train_names)

    def read(
        choices: Sequence[Choice], size: tuple[int, int] | None, channels: int | None
    ) -> list[np.ndarray]:
        chosen = [names[part][index] for part, indices in choices for index in indices]
        images = decode(files, chosen, size, channels)
        return np.split(images, np.cumsum([len(indices) for _, indices in choices])[:-1])

    return Source(arrays, read, train_names, f"image files in {files.where}")


def _sorted_out(files: Files) -> tuple[tuple[str, ...], list[_Found]]:
    """Returns the folder that everything lies in, and each image with its part and class."""
    images = [(name, tuple(name.split("/"))) for name in files.names if _is_image(name)]
    root = _root([parts for _, parts in images])
    inside = [(name, parts[len(root) :]) for name, parts in images]
    parted = any(_part(parts) == "train" for _, parts in inside if len(parts) > 2)
    depth = 2 if parted else 1
    astray = [name for name, parts in inside if len(parts) <= depth or (parted and not _part(parts))]
    if astray:
        layout = "train/<class>/<image> and test/<class>/<image>" if parted else "<class>/<image>"
        raise DataError(
            f"{files.where}: {len(astray)} of {len(inside)} images lie outside a class folder, such as "
            f"{astray[0]}; the layout must be {layout}. Move or remove them."
        )
    return root, [
        _Found(name, _part(parts) if parted else "train", (*root, *parts[:depth])) for name, parts in inside
    ]


def _root(images: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Returns the folders that only wrap the set, as in a zip made of one folder."""
    root: tuple[str, ...] = ()
    while True:
        tops = {parts[len(root)] for parts in images}
        depth = min(len(parts) for parts in images) - len(root)
        if len(tops) > 1 or depth < 3 or next(iter(tops)).lower() in _PARTS:
            return root
        root = (*root, next(iter(tops)))


def _check_folders(files: Files, root: tuple[str, ...], found: Sequence[_Found]) -> None:
    """Raises `DataError` for a class folder in which there is no image."""
    filled = {image.folder for image in found}
    level = len(next(iter(filled)))
    for folder in files.folders:
        parts = tuple(folder.split("/"))
        if parts[: len(root)] == root and len(parts) == level and parts not in filled:
            raise DataError(
                f"{files.where}: the class folder {folder} holds no images "
                f"({', '.join(SUFFIXES)} are read). Add some, or remove the folder."
            )


def _in_order(names: set[str]) -> tuple[str, ...]:
    """Returns class names in alphabetical order; by value where all are whole numbers."""
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _part(parts: tuple[str, ...]) -> str:
    """Returns which part the first folder means; empty where it means none."""
    return _PARTS.get(parts[0].lower(), "")


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)
