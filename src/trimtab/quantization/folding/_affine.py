"""What a batch normalisation computes at inference: a factor and an offset for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab import _keras_internals
from trimtab.models._kinds import computes_like

__all__ = ["Affine", "Array", "affine_of", "values"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Affine:
    """``y = scale * x + offset``, with one number for each channel or one for all.

    Args:
        scale: float64 (channels,), or () for one number for all.
        offset: as many.
        axis: the axis of the channels, counted from the front; of no meaning where there is one number.
    """

    scale: Array
    offset: Array
    axis: int = -1

    @property
    def scalar(self) -> bool:
        """Whether all channels have the same numbers, so that their axis does not matter."""
        return self.scale.ndim == 0

    @property
    def shifts(self) -> bool:
        """Whether zeros do not stay zeros."""
        return bool(np.any(self.offset != 0))

    @property
    def keeps_order(self) -> bool:
        """Whether what is larger stays larger, so that a maximum can be taken before or after."""
        return bool(np.all(self.scale > 0))

    def then(self, after: Affine) -> Affine:
        """Returns both in one step: first this one, then `after`."""
        axis = after.axis if self.scalar else self.axis
        scale, offset = np.broadcast_arrays(
            after.scale * self.scale, after.scale * self.offset + after.offset
        )
        return Affine(scale, offset, axis)

    def agrees(self, other: Affine) -> bool:
        """Says whether the channels of both stand along the same axis."""
        return self.scalar or other.scalar or self.axis == other.axis

    def equals(self, other: Affine) -> bool:
        """Says whether both compute the same."""
        return (
            self.agrees(other)
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.offset, other.offset)
        )

    def along(self, axis: int) -> Affine:
        """Returns the same with the channels along another axis."""
        return replace(self, axis=axis)

    def unshifted(self) -> Affine:
        """Returns the factor alone."""
        return replace(self, offset=np.zeros_like(self.offset))

    def vectors(self, channels: int) -> tuple[Array, Array]:
        """Returns scale and offset with a number for each of so many channels."""
        return np.broadcast_to(self.scale, channels), np.broadcast_to(self.offset, channels)


def values(variable: Any) -> Array:
    """Reads a variable or array in float64, in which all folding is computed."""
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float64)


def affine_of(layer: Any, shape: Sequence[int | None]) -> Affine | None:
    """Returns what a layer computes at inference where that is an affine map of each channel, or None.

    Known are BatchNormalization, Rescaling, Normalization and the LayerScale of ConvNeXt.

    Args:
        layer: any built layer.
        shape: of its input.
    """
    for kind, read in _READERS.items():
        if isinstance(layer, kind) and computes_like(type(layer), kind):
            return read(layer, len(shape))
    return None


def _batch_norm(layer: Any, rank: int) -> Affine:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` (Ioffe and Szegedy 2015)."""
    scale = 1 / np.sqrt(values(layer.moving_variance) + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * values(layer.gamma)
    offset = -values(layer.moving_mean) * scale
    if layer.beta is not None:
        offset = offset + values(layer.beta)
    return Affine(scale, offset, int(layer.axis) % rank)


def _rescaling(layer: Any, rank: int) -> Affine | None:
    """Numbers of the config."""
    scale, offset = np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
    return _along_last(scale, offset, rank)


def _normalization(layer: Any, rank: int) -> Affine | None:
    """``(x - mean) / max(sqrt(variance), epsilon)``, or the way back."""
    mean = values(layer.mean)
    deviation = np.maximum(np.sqrt(values(layer.variance)), keras.config.epsilon())
    if layer.invert:
        return _along_last(deviation, mean, rank)
    return _along_last(1 / deviation, -mean / deviation, rank)


def _along_last(scale: Array, offset: Array, rank: int) -> Affine | None:
    """Reads numbers that are spread over a tensor from its last axis on."""
    scale, offset = np.broadcast_arrays(scale, offset)
    if scale.size == 1:
        return Affine(scale.reshape(()), offset.reshape(()))
    if scale.size != scale.shape[-1] or keras.config.image_data_format() != "channels_last":
        return None
    return Affine(scale.reshape(-1), offset.reshape(-1), rank - 1)


def _layer_scale(layer: Any, rank: int) -> Affine:
    """A learned factor for each channel (Touvron et al. 2021)."""
    scale = values(layer.gamma)
    return Affine(scale, np.zeros_like(scale), rank - 1)


_READERS = {
    keras.layers.BatchNormalization: _batch_norm,
    keras.layers.Normalization: _normalization,
    keras.layers.Rescaling: _rescaling,
    _keras_internals.application_layers()["LayerScale"]: _layer_scale,
}
