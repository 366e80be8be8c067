"""Light augmentation: flip, shift and cutout, drawn for each image from (seed, epoch) alone.

What happens to an image is decided in NumPy, once for each epoch, as a few whole numbers; each backend then
only moves pixels. So an image gets the same treatment on every backend, in whatever batch it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trimtab.errors import ConfigError

__all__ = ["Augmentation", "augmented", "drawn"]

_STREAM = 0x617567  # keeps these draws apart from those that order the images


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a training image; nothing by default.

    Args:
        flip: mirror left and right, for every second image by chance.
        shift: move by up to so many pixels in each direction; black comes in from the side (He et al. 2015,
            "Deep residual learning", section 4.2).
        cutout: black out a square with this side, in pixels, its centre anywhere in the image (DeVries and
            Taylor 2017, "Improved regularization of convolutional neural networks with cutout").

    Raises:
        ConfigError: `shift` or `cutout` is negative.
    """

    flip: bool = False
    shift: int = 0
    cutout: int = 0

    def __post_init__(self) -> None:
        for name in ("shift", "cutout"):
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < 0:
                raise ConfigError(f"{name} is {value!r}; it needs a number of pixels, 0 or more.")

    def __bool__(self) -> bool:
        """Tells whether anything may happen at all."""
        return bool(self.flip or self.shift or self.cutout)


def drawn(
    augmentation: Augmentation, shape: tuple[int, ...], seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws what happens to each image in one epoch.

    Args:
        augmentation: what may happen.
        shape: (n, height, width, channels) of all images.
        seed: of the run.
        epoch: from 0.

    Returns:
        flips (n,), shifts (n, 2) and cutout centres (n, 2), int32; rows before columns.
    """
    count, height, width = shape[:3]
    random = np.random.default_rng([_STREAM, seed, epoch])
    # All three are always drawn, so that switching one on leaves the others as they were.
    flips = random.integers(0, 2, count, np.int32) * np.int32(augmentation.flip)
    reach = augmentation.shift
    shifts = np.floor(random.random((count, 2)) * (2 * reach + 1)).astype(np.int32) - np.int32(reach)
    centres = np.floor(random.random((count, 2)) * (height, width)).astype(np.int32)
    return flips, shifts, centres


def augmented(
    images: np.ndarray, flips: np.ndarray, shifts: np.ndarray, centres: np.ndarray, cutout: int
) -> np.ndarray:
    """Applies what was drawn to a batch of images, in NumPy.

    Args:
        images: (n, height, width, channels).
        flips: (n,), 1 for images to mirror.
        shifts: (n, 2), rows down and columns to the right, after mirroring.
        centres: (n, 2), of the squares that are blacked out, after shifting.
        cutout: side of the square; 0 for none.
    """
    height, width = images.shape[1:3]
    rows, columns = np.arange(height), np.arange(width)
    from_rows = rows - shifts[:, :1]
    from_columns = columns - shifts[:, 1:]
    keep_rows = (from_rows >= 0) & (from_rows < height)
    keep_columns = (from_columns >= 0) & (from_columns < width)
    from_columns = np.where(flips[:, np.newaxis] == 1, width - 1 - from_columns, from_columns)
    keep = keep_rows[:, :, np.newaxis] & keep_columns[:, np.newaxis, :]
    if cutout:
        keep &= ~(
            _within(rows, centres[:, :1], cutout)[:, :, np.newaxis]
            & _within(columns, centres[:, 1:], cutout)[:, np.newaxis, :]
        )
    moved: np.ndarray = images[
        np.arange(len(images))[:, np.newaxis, np.newaxis],
        from_rows.clip(0, height - 1)[:, :, np.newaxis],
        from_columns.clip(0, width - 1)[:, np.newaxis, :],
    ]
    moved *= keep[..., np.newaxis].astype(images.dtype)
    return moved


def _within(positions: np.ndarray, centres: np.ndarray, side: int) -> np.ndarray:
    """Tells which positions lie in an interval of `side` pixels around each centre."""
    start = centres - side // 2
    return (positions >= start) & (positions < start + side)
