"""What is compared of two feature maps: pooled to one size, as they are or as a map of attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

__all__ = ["area_matrix", "as_map", "attention", "pooled"]

_TINY = 1e-12  # under the root of a norm: a map of nothing but zeros has a gradient then


def as_map(features: Any, channels_first: bool = False) -> Any:
    """Returns what a layer gives as float32 (batch, height, width, channels).

    A vector is a map of one place, a sequence one of a single column.

    Args:
        features: (batch, channels), (batch, steps, channels) or (batch, height, width, channels).
        channels_first: the channels come right after the batch instead.
    """
    features = ops.cast(features, "float32")
    if channels_first and len(features.shape) > 2:
        features = ops.moveaxis(features, 1, -1)
    if len(features.shape) == 2:
        return features[:, None, None, :]
    return features[:, :, None, :] if len(features.shape) == 3 else features


def area_matrix(size: int, to: int) -> npt.NDArray[np.float32]:
    """Returns the weights (to, size) that average a row of `size` places over `to` stretches of equal length.

    Where `size` is a multiple of `to`, that is average pooling; else a place at the border of two stretches
    counts in both, by the share of it that lies in each.
    """
    edges = np.linspace(0, size, to + 1)
    places = np.arange(size)
    ends = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    return np.asarray(np.maximum(ends, 0) * (to / size), np.float32)


def pooled(maps: Any, size: tuple[int, int]) -> Any:
    """Returns maps (batch, height, width, channels) averaged over areas, down to `size`."""
    height, width = (int(side) for side in maps.shape[1:3])
    if height != size[0]:
        maps = ops.einsum("oi,bijc->bojc", area_matrix(height, size[0]), maps)
    if width != size[1]:
        maps = ops.einsum("oj,bijc->bioc", area_matrix(width, size[1]), maps)
    return maps


def attention(maps: Any, size: tuple[int, int]) -> Any:
    """Returns where a layer looks, as one vector of length 1 for each image.

    The squares of all channels are averaged, and the map is scaled to a Euclidean norm of 1.

    Args:
        maps: (batch, height, width, channels).
        size: to which the map is pooled before it is scaled.

    Returns:
        (batch, height * width of `size`).

    Reference: S. Zagoruyko, N. Komodakis, "Paying more attention to attention: improving the performance of
    convolutional neural networks via attention transfer", ICLR 2017, section 3.1 (F_sum with p = 2).
    """
    energy = pooled(ops.mean(ops.square(maps), axis=-1, keepdims=True), size)
    flat = ops.reshape(energy, (-1, size[0] * size[1]))
    return flat * ops.rsqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True) + _TINY)
