"""Which images calibrate a file, and which prove it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.data._variety import check_calibration_count, check_variety
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["calibration_images", "parity_images", "stratified"]

PARITY_IMAGES, RANDOM_IMAGES = 500, 64


def stratified(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Picks images so that every class has its share, the same ones for the same seed.

    Args:
        labels: class of each image, int (n,).
        count: how many to pick; all of them where there are fewer.
        seed: of the choice.

    Returns:
        Indices in rising order, int64 (min(count, n),).
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    # An image's place is its rank within its class, as a share of the class: taking the first places
    # takes the same share of every class.
    places = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        places[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.sort(np.argsort(places, kind="stable")[:count]).astype(np.int64)


def calibration_images(
    data: ImageData | None, count: int, seed: int
) -> tuple[np.ndarray, Mapping[str, Any], np.ndarray]:
    """Picks training images to calibrate with.

    Returns:
        The images, float32 (n, height, width, channels) as the model takes them; what the record says of
        them; and their indices in the training part.

    Raises:
        ConfigError: there is no data, `count` is too small, or the images are too few or of one class.
    """
    check_calibration_count(count)
    if data is None:
        raise ConfigError(
            "A static scheme needs training images to calibrate its ranges with. Give data=, or choose "
            "the scheme 'dynamic-int8', which needs none."
        )
    chosen = stratified(data.train.labels, count, seed)
    labels = data.train.labels[chosen]
    check_variety(data, labels, ", or choose the scheme 'dynamic-int8'")
    images = data.train.take(chosen).inputs()
    record = {
        "images": len(images),
        "asked": count,
        "part": "train",
        "seed": seed,
        "per_class": np.bincount(labels, minlength=data.classes).tolist(),
        "digest": hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
    }
    return images, record, chosen


def parity_images(
    data: ImageData | None,
    shape: tuple[int, int, int],
    seed: int,
    used: np.ndarray | None = None,
) -> tuple[np.ndarray, str]:
    """Picks the images for the parity check: never of the test part, and none that calibrated.

    Args:
        data: the data; None for random images, which do where nothing is quantized by them.
        shape: (height, width, channels).
        seed: of the choice.
        used: indices of training images that calibrated; taken only where no others are left.

    Returns:
        The images, float32, and where they came from: ``"validation"``, ``"train"`` or ``"random"``.
    """
    if data is None:
        return np.random.default_rng(seed).random((RANDOM_IMAGES, *shape), dtype=np.float32), "random"
    if len(data.validation):
        chosen = stratified(data.validation.labels, PARITY_IMAGES, seed)
        return data.validation.take(chosen).inputs(), "validation"
    free = np.setdiff1d(np.arange(len(data.train)), used if used is not None else [])
    if not len(free):
        free = np.arange(len(data.train))
    chosen = free[stratified(data.train.labels[free], PARITY_IMAGES, seed)]
    return data.train.take(chosen).inputs(), "train"
