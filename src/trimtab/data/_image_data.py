"""What every verb is given: images, labels and the names of the classes."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.data._limits import check_memory
from trimtab.data._resizing import resized
from trimtab.errors import ConfigError, DataError

__all__ = ["ImageData", "Split", "digest_of"]

_DIGEST_VERSION = b"trimtab images 1"


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set: images as they are stored, and their labels.

    Args:
        images: (n, height, width, channels), uint8 0..255 or float32 0..1.
        labels: (n,), int64, each the index of a class.
        input_range: what black and white become for the model.
        size: (height, width) to which images are resized whenever a model is given them; None: as they are
            stored.

    Raises:
        DataError: the arrays do not have these shapes and types, or differ in length.
        ConfigError: `input_range` is not (low, high) with low < high, or `size` not (height, width).
    """

    images: np.ndarray
    labels: np.ndarray
    input_range: tuple[float, float] = (0.0, 1.0)
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype not in (np.uint8, np.float32):
            raise DataError(
                f"A split got images of shape {self.images.shape} and type {self.images.dtype}; it needs "
                "(n, height, width, channels) as uint8 0..255 or float32 0..1. "
                "trimtab.data.from_arrays() accepts more."
            )
        if self.labels.shape != (len(self.images),) or self.labels.dtype != np.int64:
            raise DataError(
                f"A split got labels of shape {self.labels.shape} and type {self.labels.dtype} for "
                f"{len(self.images)} images; it needs ({len(self.images)},) as int64."
            )
        object.__setattr__(self, "input_range", checked_range(self.input_range))
        # Where nothing is to be done, the split is the same as one that was never asked to.
        size = None if self.size is None else checked_size(self.size)
        object.__setattr__(self, "size", None if size == self.images.shape[1:3] else size)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image, as a model is given it."""
        height, width, channels = self.images.shape[1:]
        return (*(self.size or (int(height), int(width))), int(channels))

    def inputs(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns images `start` to `stop` as the model takes them: float32, scaled and resized.

        Raises:
            DataError: resized, so many would fill the memory.
        """
        return self.prepared(self.images[start:stop])

    def prepared(self, pixels: np.ndarray) -> np.ndarray:
        """Returns stored pixels (n, height, width, channels) as the model takes them.

        They are scaled to `input_range` first and resized then, which costs less than the other way round.

        Raises:
            DataError: resized, so many would fill the memory.
        """
        values = scaled(pixels, self.input_range)
        if self.size is None:
            return values
        check_memory(
            4 * len(values) * math.prod(self.image_shape),
            f"{len(values)} images at {self.size[0]}x{self.size[1]} pixels",
            "Ask for fewer at a time, as batches() and inputs(start, stop) do.",
        )
        return resized(values, self.size)

    def take(self, indices: Any) -> Split:
        """Returns the images at `indices` (integers or a slice) as a split of their own."""
        return Split(self.images[indices], self.labels[indices], self.input_range, self.size)


@dataclass(frozen=True, eq=False)
class ImageData:
    """Train, validation and test images with their labels; knows where they came from.

    Args:
        name: short name, such as ``"fashion_mnist"`` or a folder's name.
        train: what is learnt from.
        validation: what epochs and settings are chosen by; taken from the training images.
        test: what the final numbers are measured on; nothing is ever chosen by it.
        class_names: one for each label, in the labels' order.
        origin: where the images were read from, in words.
        digest: SHA-256 over pixels, labels, class names, input range, size and the split.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    origin: str
    digest: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image, as a model is given it."""
        return self.train.image_shape

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Returns the images per class of each split: ``{"train": (...), ...}``."""
        return {
            part: tuple(int(count) for count in np.bincount(split.labels, minlength=self.classes))
            for part, split in self._splits().items()
        }

    def describe(self) -> dict[str, Any]:
        """Returns what there is to know, but for the pixels, as plain data for JSON."""
        return {
            "name": self.name,
            "origin": self.origin,
            "digest": self.digest,
            "classes": self.classes,
            "class_names": list(self.class_names),
            "image_shape": list(self.image_shape),
            "stored_shape": [int(side) for side in self.train.images.shape[1:]],
            "pixels": str(self.train.images.dtype),
            "input_range": list(self.train.input_range),
            "sizes": {part: len(split) for part, split in self._splits().items()},
            "counts": {part: list(counts) for part, counts in self.counts().items()},
        }

    def _splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test}


def scaled(images: np.ndarray, input_range: tuple[float, float]) -> np.ndarray:
    """Returns pixels as float32 between the two ends of `input_range`.

    The operations, and their order, are those of the TensorFlow pipeline, so that both give equal bits.
    """
    low, high = (np.float32(end) for end in input_range)
    values = images.astype(np.float32)
    if images.dtype == np.uint8:
        values /= np.float32(255)
    if low != 0 or high != 1:
        values *= high - low
        values += low
    return values


def checked_range(input_range: Any) -> tuple[float, float]:
    """Returns `input_range` as two floats; raises `ConfigError` unless low < high."""
    try:
        low, high = (float(end) for end in input_range)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not (np.isfinite([low, high]).all() and low < high):
        raise ConfigError(
            f"input_range is {input_range!r}; it needs two numbers, low < high: (0, 1) or (-1, 1), say."
        )
    return low, high


def checked_size(size: Any) -> tuple[int, int]:
    """Returns `size` as (height, width); raises `ConfigError` unless both are whole numbers of 1 or more."""
    try:
        height, width = (int(side) for side in size)
        fits = not isinstance(size, str) and height >= 1 and width >= 1 and (height, width) == tuple(size)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ConfigError(f"size is {size!r}; it needs (height, width) in pixels, such as (32, 32).")
    return height, width


def digest_of(splits: dict[str, Split], class_names: tuple[str, ...]) -> str:
    """Returns the SHA-256, in hex, of everything that a model could learn from."""
    digest = hashlib.sha256(_DIGEST_VERSION)
    digest.update("\0".join(class_names).encode())
    for part, split in splits.items():
        images = np.ascontiguousarray(split.images)
        resizing = f" {split.size}" if split.size else ""  # so that other data keep the digest they had
        digest.update(f"\0{part} {images.shape} {images.dtype} {split.input_range}{resizing}\0".encode())
        digest.update(images.data if images.size else b"")
        digest.update(np.ascontiguousarray(split.labels, dtype="<i8").tobytes())
    return digest.hexdigest()
