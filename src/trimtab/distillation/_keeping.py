"""How the student hears the teacher: from answers that were kept, or from the teacher itself at each step."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LARGEST_CACHE", "Keeping", "chosen_keeping"]

LARGEST_CACHE = 2**30
"""Bytes of memory that kept answers may take where nobody asked for them by name."""


@dataclass(frozen=True)
class Keeping:
    """How the answers come to the student.

    Args:
        cache: "logits" (one answer to each image), "views" (one to each augmented version of it), or "off"
            (the teacher is asked at each step).
        views: how many answers to each image are kept; 0 with "off".
        half: features are kept as float16.
        bytes: memory that the kept answers take.
        note: a sentence about it.
    """

    cache: str
    views: int
    half: bool
    bytes: int
    note: str


def chosen_keeping(
    cache: str, views: int, augmented: bool, epochs: int, images: int, classes: int, width: int
) -> Keeping:
    """Decides how the answers come to the student.

    Logits are small and always float32. Features may be large: where all together would take more than
    1 GiB, the features become float16 (11 bits, finer than any student gets near to); where that is too much
    as well, nothing is kept and the teacher runs beside the student. Who asks for "logits" or "views" by name
    gets them, whatever they take.

    Args:
        cache: what was asked for: "auto", "logits", "views" or "off".
        views: augmented versions of each image that were asked for; no more are made than there are epochs.
        augmented: whether there is any augmentation.
        epochs: of the training.
        images: how many training images there are.
        classes: how many classes there are.
        width: numbers of features that are compared in one image.
    """
    live = Keeping("off", 0, False, 0, "the teacher was asked at each step; nothing was kept")
    if cache == "off":
        return live
    count = min(views, epochs) if augmented else 1
    whole, half = (count * images * (4 * classes + size * width) for size in (4, 2))
    shrunk = whole > LARGEST_CACHE and width > 0
    needed = half if shrunk else whole
    if cache == "auto" and needed > LARGEST_CACHE:
        return Keeping(
            "off", 0, False, 0,
            f"the teacher was asked at each step: to keep its answers would take {needed / 2**30:.1f} GiB",
        )  # fmt: skip
    kind = "views" if augmented else "logits"
    told = f"the teacher's answers were asked for once and kept ({_size(needed)})"
    if augmented:
        told += f": {count} augmented versions of each image, which the epochs take in turn"
    if shrunk:
        told += "; features as float16"
    return Keeping(kind, count, shrunk, needed, told)


def _size(count: int) -> str:
    """Says a number of bytes in words."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
