"""Which part of a kernel's largest weight its steps cover: with few bits, clipping a little pays."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab import _keras_internals
from trimtab.quantization._grid import weight_limit
from trimtab.quantization.layers import QuantizedWeights

__all__ = ["best_shares", "clip_weights"]

_SHARES = np.linspace(1.0, 0.3, 36)


def clip_weights(model: keras.Model) -> None:
    """Sets, in place, which part of each channel's largest weight is not clipped: that of the least error."""
    for layer in _keras_internals.all_layers(model):
        if isinstance(layer, QuantizedWeights):
            part: Any = layer
            kernel = np.asarray(keras.ops.convert_to_numpy(part.kernel), np.float64)
            part.share.assign(best_shares(kernel, part.channel_axes, part.weight_bits).reshape(-1))


def best_shares(kernel: npt.NDArray[np.float64], axes: tuple[int, ...], bits: int) -> npt.NDArray[np.float32]:
    """Returns the part of the largest weight with the least squared error, for each place along `axes`.

    Args:
        kernel: the weights.
        axes: axes along which each place has a step of its own; none: one for all.
        bits: bits of an integer.
    """
    others = tuple(axis for axis in range(kernel.ndim) if axis not in axes)
    largest = np.max(np.abs(kernel), axis=others, keepdims=True)
    largest = np.where(largest > 0, largest, 1.0)
    limit = weight_limit(bits)
    errors = []
    for share in _SHARES:
        step = largest * share / limit
        rounded = np.clip(np.rint(kernel / step), -limit, limit) * step
        errors.append(np.square(rounded - kernel).sum(axis=others))
    best = np.argmin(np.asarray(errors), axis=0)
    return np.asarray(_SHARES[best], np.float32)
