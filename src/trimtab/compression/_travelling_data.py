"""Images on their way to the workers: arrays that are shared once, and the rest as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trimtab.data import ImageData
    from trimtab.workers import Workers

__all__ = ["ARRAYS", "arrived", "sent"]

ARRAYS = ("train.images", "train.labels", "validation.images", "validation.labels")
"""Names of the shared arrays. The test images are not among them: no worker can look at them."""


def sent(data: ImageData, workers: Workers) -> dict[str, Any]:
    """Shares the training and validation images, and returns what else there is to know."""
    for part in ("train", "validation"):
        split = getattr(data, part)
        workers.share(f"{part}.images", np.ascontiguousarray(split.images))
        workers.share(f"{part}.labels", np.ascontiguousarray(split.labels))
    return {
        "name": data.name,
        "class_names": list(data.class_names),
        "origin": data.origin,
        "digest": data.digest,
        "input_range": list(data.train.input_range),
        "size": None if data.train.size is None else list(data.train.size),
    }


def arrived(
    record: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]], share: float = 1.0
) -> tuple[ImageData, np.ndarray[Any, Any] | None]:
    """Puts the images together again, without a test part.

    Args:
        record: what `sent` returned.
        arrays: by the names of `ARRAYS`.
        share: of the training images that is wanted, the same of each class; the same ones each time.

    Returns:
        The data, and the places of its training images among all of them; None: all.
    """
    from trimtab.data import ImageData, Split

    size = None if record["size"] is None else tuple(record["size"])
    low, high = record["input_range"]

    def split(part: str) -> Split:
        return Split(arrays[f"{part}.images"], arrays[f"{part}.labels"], (low, high), size)

    train, validation, chosen = split("train"), split("validation"), None
    names = tuple(record["class_names"])
    if share < 1:
        chosen = _chosen(train.labels, share)
        train = train.take(chosen)
    told = record["digest"] if share >= 1 else f"{record['digest']} {share:.6f}"
    data = ImageData(
        record["name"], train, validation, validation.take(slice(0, 0)), names, record["origin"], told
    )
    return data, chosen


def _chosen(labels: np.ndarray[Any, Any], share: float) -> np.ndarray[Any, Any]:
    """Returns the places of a share of the images, in order, by chance but alike from each class."""
    random = np.random.default_rng(0)
    kept = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        kept.append(random.permutation(places)[: max(round(share * len(places)), 1)])
    return np.sort(np.concatenate(kept))
