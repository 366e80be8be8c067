"""A weight with few different values: from its shape to rows, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab.clustering._kmeans import kmeans, nearest
from trimtab.clustering._options import ClusteringOptions

__all__ = ["Snapped", "row_length", "snapped"]

_DEPTHWISE = (
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)
_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)


@dataclass(frozen=True, eq=False)
class Snapped:
    """A weight whose numbers are centroids.

    Attributes:
        values: the new values, in the weight's shape.
        error: root of the mean square of what changed, over that of the weight.
        steps: steps that k-means made.
    """

    values: npt.NDArray[np.float32]
    error: float
    steps: int


def snapped(
    weight: npt.NDArray[np.float32], layer: Any, name: str, options: ClusteringOptions, place: int
) -> Snapped:
    """Puts the nearest of a few centroids in the place of each number of a weight.

    With `keep_zeros`, zeros stay, and zero is one of the centroids asked for where there are any.

    Args:
        weight: its values.
        layer: the layer that it is of; the class says which axes are the output channels.
        name: of the weight inside the layer.
        options: how to cluster.
        place: of the weight among those that are clustered; makes the random draws its own.
    """
    axes = _channels(layer, name) if options.per == "channel" else ()
    first = tuple(range(len(axes)))
    rows = np.moveaxis(weight, axes, first)
    turned = rows.shape
    rows = rows.reshape(int(np.prod(turned[: len(axes)])), -1)
    pinned = options.keep_zeros and not rows.all()
    found = kmeans(
        rows, options.clusters - pinned, options.init, skip_zeros=pinned, seed=(options.seed, place)
    )
    values = nearest(rows, found.centroids, skip_zeros=pinned)
    power = float(np.square(rows, dtype=np.float64).sum())
    error = float(np.square(values - rows, dtype=np.float64).sum())
    back = np.moveaxis(values.reshape(turned), first, axes)
    return Snapped(np.ascontiguousarray(back), float(np.sqrt(error / power)) if power else 0.0, found.steps)


def row_length(shape: tuple[int, ...], layer: Any, name: str, per: str) -> int:
    """Counts the numbers that share one set of centroids."""
    channels = [shape[axis] for axis in _channels(layer, name)] if per == "channel" else []
    return int(np.prod(shape)) // int(np.prod(channels))


def _channels(layer: Any, name: str) -> tuple[int, ...]:
    """Returns the axes of the output channels."""
    if isinstance(layer, _DEPTHWISE) and name != "pointwise_kernel":
        return (-2, -1)
    return (-2,) if isinstance(layer, _TRANSPOSED) else (-1,)
