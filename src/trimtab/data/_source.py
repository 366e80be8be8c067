"""What a reader hands over: labels at once, pixels when they are asked for.

Labels come first, so that a few images of a large set can be chosen before any is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.data._labels import as_labels, check_classes
from trimtab.data._pixels import as_pixels, fitted

__all__ = ["Choice", "ReadImages", "Source", "array_source"]

Choice = tuple[str, np.ndarray]  # a part ("train", "validation", "test") and indices into it
ReadImages = Callable[[Sequence[Choice], "tuple[int, int] | None", "int | None"], list[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Source:
    """One data set as it lies in its files.

    Args:
        labels: of each part that the files have; ``"train"`` is always there.
        read: given choices, a size and channels (None: as they are), returns the images of each choice.
        class_names: one for each label.
        origin: what was read, in words.
    """

    labels: Mapping[str, np.ndarray]
    read: ReadImages
    class_names: tuple[str, ...]
    origin: str


def array_source(
    images: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    where: Mapping[str, str],
    origin: str,
    class_names: Sequence[str] | None = None,
) -> Source:
    """Checks arrays as they came, and returns them as a source.

    Args:
        images: of each part: (n, height, width) or (n, height, width, 1 or 3).
        labels: of each part: n whole numbers.
        where: what to call each part's arrays in messages, such as ``"data.npz (x_train, y_train)"``.
        origin: what was read, in words.
        class_names: one for each label; the labels themselves by default.

    Raises:
        DataError: the arrays cannot be used.
    """
    pixels = as_pixels(images, where)
    numbers = {part: as_labels(labels[part], len(pixels[part]), where[part]) for part in pixels}
    names = check_classes(numbers, where, class_names)

    def read(
        choices: Sequence[Choice], size: tuple[int, int] | None, channels: int | None
    ) -> list[np.ndarray]:
        return [fitted(pixels[part][indices], size, channels) for part, indices in choices]

    return Source(numbers, read, names, origin)
