"""Are calibration images scaled as those that the model learned from? Seen by what it remembers of them.

Ranges calibrated with images in 0..255 are useless for a model that learned from 0..1, and no error says
so. Two things in a model tell: a `Rescaling` layer says what numbers it was made for, and the first
normalisation keeps the mean and variance of the training images.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.errors import ConfigError

__all__ = ["check_scaling"]

_IMAGES = 32
# Pixels in 0..255 and in 0..1 lie a factor of 255 apart. Statistics of training images are off by less than
# 60 even where a short training left them half-way.
_FAR, _NEAR = 60.0, 8.0
_FLAT, _BYTES = 0.05, 20.0  # range of an image that is all but constant; of one that is surely not 0..1


def check_scaling(model: keras.Model, images: np.ndarray) -> None:
    """Refuses images that are scaled otherwise than the model was made for.

    Args:
        model: a built classifier; of a subclassed one nothing is known, and nothing is refused.
        images: float32 (n, height, width, channels), as they go into the model.

    Raises:
        ConfigError: a `Rescaling` layer, batch normalisation or `Normalization` says that they do not fit.
    """
    if _keras_internals.graph_of(model) is None:
        return
    # What the model remembers of its images is proof; what its author meant them to be is a hint.
    if not _statistics_fit(model, images[:_IMAGES]):
        _check_rescaling(model, images)


def _check_rescaling(model: keras.Model, images: np.ndarray) -> None:
    """Looks at the `Rescaling` layers that come before any weights."""
    width = float(images.max() - images.min())
    for layer in _keras_internals.all_layers(model):
        if isinstance(layer, keras.layers.Rescaling):
            scale = float(np.max(np.abs(np.asarray(layer.scale, np.float64))))
            divides = scale < _FLAT and width * scale < _FLAT
            multiplies = scale >= 1 and width > _BYTES
            if divides or multiplies:
                meant = "0..255" if divides else "0..1"
                raise ConfigError(
                    f"The calibration images run from {images.min():.3g} to {images.max():.3g}, and layer "
                    f"{layer.name!r} multiplies them by {scale:.3g}: it was made for {meant}. Load the data "
                    f"with input_range={'(0, 255)' if divides else '(0, 1)'} (--input-range "
                    f"{'0,255' if divides else '0,1'}), as in training."
                )
        elif layer is not model and layer.weights and _keras_internals.graph_of(layer) is None:
            return


def _statistics_fit(model: keras.Model, images: np.ndarray) -> bool:
    """Looks at what comes out of the first normalisation, whose deviation should be about 1.

    Returns:
        False where the model remembers nothing, or it is hard to say.
    """
    seen: list[tuple[str, float]] = []

    def visit(path: tuple[str, ...], operation: Any, outputs: Any) -> None:
        if not seen and _remembers(operation):
            deviation = _deviation(operation, np.asarray(keras.ops.convert_to_numpy(outputs), np.float64))
            seen.append(("/".join(path), deviation))

    _keras_internals.run_graph(model, keras.ops.convert_to_tensor(images), visit, training=False)
    for name, deviation in seen:
        if np.isfinite(deviation) and not 1 / _FAR <= deviation <= _FAR:
            raise ConfigError(
                "The calibration images are not scaled as those of the training: what reaches layer "
                f"{name!r} deviates {deviation:.3g} times as much as it remembers. They run from "
                f"{images.min():.3g} to {images.max():.3g}; load the data with the training's input_range "
                "(--input-range)."
            )
    return any(1 / _NEAR <= deviation <= _NEAR for _, deviation in seen)


def _remembers(layer: Any) -> bool:
    """True for a normalisation that has seen images."""
    if isinstance(layer, keras.layers.Normalization):
        return True
    if not isinstance(layer, keras.layers.BatchNormalization):
        return False
    mean, variance = (keras.ops.convert_to_numpy(part) for part in (layer.moving_mean, layer.moving_variance))
    return bool(np.any(mean != 0) or np.any(variance != 1))


def _deviation(layer: Any, outputs: np.ndarray) -> float:
    """Returns the deviation of a normalisation's usual channel, before its own scale: 1 if all is well."""
    spread: np.ndarray = np.std(outputs.reshape(-1, outputs.shape[-1]), axis=0)
    gamma = getattr(layer, "gamma", None)
    if gamma is not None:
        scale = np.abs(np.asarray(keras.ops.convert_to_numpy(gamma), np.float64))
        spread = spread[scale > 1e-3] / scale[scale > 1e-3]
    alive = spread[spread > 0]
    return float(np.median(alive)) if alive.size else float("nan")
