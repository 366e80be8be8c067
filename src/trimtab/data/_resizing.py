"""Resizing on the fly: small images are kept, and made larger only when a model asks for them.

Bilinear with half-pixel centres, as Pillow and TensorFlow (with ``antialias=True``) have it: each pixel of
the result is a weighted mean of those under a triangle, which is widened where the image shrinks. Along each
side of the image that is a product with a small matrix, made once in NumPy, so that every backend uses the
same weights.
"""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["filter_matrix", "resized"]

_SMALL = 2**18  # multiply-accumulates of a product up to which OpenBLAS starts no threads of its own


@functools.lru_cache(maxsize=32)
def filter_matrix(source: int, target: int) -> np.ndarray:
    """Returns the weights that make `target` pixels of `source` ones.

    Args:
        source: pixels along one side of the image as it is.
        target: pixels along that side of the result.

    Returns:
        float32 (target, source), each row of which sums to 1.
    """
    scale = source / target
    reach = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    distance = np.abs(np.arange(source) + 0.5 - centres[:, np.newaxis])
    weights = np.maximum(1.0 - distance / reach, 0.0)
    # What would lie outside the image does not count.
    made: np.ndarray = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    made.setflags(write=False)  # one array serves all who ask
    return made


def resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns float32 images (n, height, width, channels) at another size (height, width)."""
    count, height, width, channels = images.shape
    rows, columns = filter_matrix(height, size[0]), filter_matrix(width, size[1])
    wide = np.matmul(columns, images)  # the width first, while there are few rows
    # Then all columns of an image would be one product. In blocks the linear algebra stays in this thread:
    # its own threads stand in the way of those that prepare batches side by side.
    pixels = _largest_divisor(size[1], _SMALL // (height * size[0] * channels))
    blocks, block = size[1] // pixels, pixels * channels
    made = np.empty((count, *size, channels), np.float32)
    np.matmul(
        rows,
        wide.reshape(count, height, blocks, block).swapaxes(1, 2),
        out=made.reshape(count, size[0], blocks, block).swapaxes(1, 2),
    )
    return made


def _largest_divisor(number: int, most: int) -> int:
    """Returns the largest divisor of a number that is at most so large, and at least 1."""
    return max((step for step in range(1, min(number, most) + 1) if number % step == 0), default=1)
