"""What goes into a model and comes out: one image in, one row of class scores out."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np

from trimtab.errors import ConfigError, ModelError

__all__ = ["image_shape_of", "predict"]

_BATCH = 256


def image_shape_of(model: keras.Model, fallback: tuple[int, ...] | None = None) -> tuple[int, int, int]:
    """Returns the (height, width, channels) that `model` takes.

    Args:
        model: a built classifier.
        fallback: the shape of the images at hand, for what the model leaves open (None, None, 3).

    Raises:
        ModelError: the model is not built, has several inputs or outputs, does not take images, or takes
            others than `fallback`.
        ConfigError: the model leaves its image size open and there is no `fallback`.
    """
    if not model.built:
        raise ModelError(
            f"Model {model.name!r} has no weights yet; it was never built. Give it an Input layer, or "
            "call it once on an image, and try again."
        )
    shape = _declared_shape(model)
    if shape is None:
        shape = (None, None, None)
    if fallback is not None:
        wanted = tuple(fallback)
        if len(wanted) != 3 or any(
            have is not None and have != want for have, want in zip(shape, wanted, strict=True)
        ):
            raise ModelError(
                f"Model {model.name!r} takes images of shape {shape}; these are {wanted}. Load the data with "
                "size= and channels= that fit the model."
            )
        return (int(wanted[0]), int(wanted[1]), int(wanted[2]))
    height, width, channels = shape
    if height is None or width is None or channels is None:
        raise ConfigError(
            f"Model {model.name!r} takes images of any size {shape}; a file needs one size. Give data=, "
            "whose image shape is then used."
        )
    return (height, width, channels)


def _declared_shape(model: keras.Model) -> tuple[int | None, int | None, int | None] | None:
    """Returns the image shape that the model itself states, or None for a subclassed one."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs:
        return None
    if len(inputs) != 1 or (outputs and len(outputs) != 1):
        raise ModelError(
            f"Model {model.name!r} has {len(inputs)} inputs and {len(outputs or ())} outputs; a classifier "
            "has one of each. Make a model of the one input and the class scores: keras.Model(input, scores)."
        )
    shape, dtype = tuple(inputs[0].shape), str(inputs[0].dtype)
    if len(shape) != 4:
        raise ModelError(
            f"Model {model.name!r} takes input of shape {shape}; images are (batch, height, width, channels)."
        )
    if not dtype.startswith(("float", "bfloat")):
        raise ModelError(
            f"Model {model.name!r} takes {dtype} input; Trimtab feeds float images. Give it a float32 Input."
        )
    if outputs and len(outputs[0].shape) != 2:
        raise ModelError(
            f"Model {model.name!r} gives output of shape {tuple(outputs[0].shape)}; class scores are "
            "(batch, classes)."
        )
    return (shape[1], shape[2], shape[3])


def predict(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns the Keras model's class scores, float32 (n, classes), in inference mode.

    Calls the model itself, not `model.predict`: that would compile a function into the model and, on
    TensorFlow, wait for a tf.data thread to wake up.
    """
    with warnings.catch_warnings():
        # Keras': a model made with inputs=[one] is called with one array, which means the same.
        warnings.filterwarnings(
            "ignore", message="The structure of `inputs` doesn't match", category=UserWarning
        )
        outputs = np.concatenate(
            [
                _as_float32(model(images[at : at + _BATCH], training=False))
                for at in range(0, len(images), _BATCH)
            ]
        )
    if outputs.ndim != 2:
        raise ModelError(
            f"Model {model.name!r} gives output of shape {outputs.shape}; class scores are (batch, classes)."
        )
    return outputs


def _as_float32(outputs: Any) -> np.ndarray:
    """Returns a tensor of any backend and float type as an array."""
    if not hasattr(outputs, "shape"):
        raise ModelError(
            f"The model gives {type(outputs).__name__}, not one tensor; class scores are (batch, classes)."
        )
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32")))
