"""Stratified splits: each class gives the same share, and the same seed gives the same images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.errors import DataError

__all__ = ["allotted", "stratified"]


def stratified(
    labels: np.ndarray, count: int, seed: int, purpose: str, class_names: Sequence[str], spare: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Takes about `count` images, from each class in proportion to its size.

    Args:
        labels: (n,), whole numbers from 0.
        count: how many images to take; never fewer than one from each class.
        seed: decides which ones. Splits of different `purpose` draw independently.
        purpose: what they are for (``"validation"``), in messages.
        class_names: one for each label, for messages.
        spare: how many images of each class must be left.

    Returns:
        The indices that are left and the indices that are taken, both ascending: disjoint and complete.

    Raises:
        DataError: a class has too few images to give one and keep `spare`.
    """
    if count <= 0:
        return np.arange(len(labels)), np.arange(0)
    sizes = np.bincount(labels, minlength=len(class_names))
    scarce = np.flatnonzero((sizes > 0) & (sizes < 1 + spare))
    if len(scarce):
        name, size = class_names[int(scarce[0])], int(sizes[scarce[0]])
        raise DataError(
            f"Class {name!r} has only {size} image{'s' * (size != 1)}; at least {1 + spare} are needed to "
            f"set some aside for {purpose}. Add images, or bring a {purpose} part of your own."
        )
    random = np.random.default_rng([seed, *purpose.encode()])
    taken = [
        random.permutation(np.flatnonzero(labels == label))[:share]
        for label, share in enumerate(allotted(sizes, count, spare))
    ]
    chosen = np.sort(np.concatenate(taken))
    return np.setdiff1d(np.arange(len(labels)), chosen, assume_unique=True), chosen


def allotted(sizes: np.ndarray, count: int, spare: int) -> np.ndarray:
    """Divides `count` among classes in proportion to their sizes, by largest remainders (Hamilton's method).

    Args:
        sizes: images per class.
        count: how many to take in all.
        spare: how many each class must keep.

    Returns:
        How many to take from each class: at least 1 and at most its size less `spare`; 0 from an empty one.
    """
    most = np.maximum(sizes - spare, 0)
    least = np.minimum(most, 1)
    ideal = sizes * (count / sizes.sum())
    shares: np.ndarray = np.clip(np.floor(ideal).astype(np.int64), least, most)
    while shares.sum() != np.clip(count, least.sum(), most.sum()):
        step = 1 if shares.sum() < count else -1
        free = shares < most if step > 0 else shares > least
        wish = np.where(free, step * (ideal - shares), -np.inf)
        shares[int(np.argmax(wish))] += step
    return shares
