"""What the layers of a model give for some images, made small where they give it: one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from trimtab import _keras_internals

__all__ = ["Floats", "Reduce", "Watched", "batches", "channel_means", "channel_peaks", "watch"]

Floats = npt.NDArray[np.float32]

Reduce = Callable[[Any], Any]
"""From what a layer gives to what is kept of it."""

Watched = Callable[[Floats], dict[str, list[Floats]]]
"""From images to what is kept, by the layer's path: one array for each call of the layer."""

_BATCH = 64


def watch(model: keras.Model, paths: Collection[str], reduce: Reduce) -> Watched:
    """Compiles a pass over images that keeps something of what some layers give.

    The model stays as it is; each pass computes with the weights that it has then. Feature maps never leave
    the compiled function, so that a deep network needs no more memory than it does to predict.

    Args:
        model: a built Functional or Sequential model.
        paths: the layers, each as ``"conv"``, or ``"outer/inner"`` inside nested models.
        reduce: what is kept of a layer's output, such as `channel_peaks`.
    """
    return _WATCHES.get(keras.backend.backend(), _plain)(model, tuple(paths), reduce)


def batches(images: Floats, size: int = _BATCH) -> Iterator[Floats]:
    """Cuts images (n, height, width, channels) into batches; the last may be smaller."""
    for start in range(0, len(images), size):
        yield np.ascontiguousarray(images[start : start + size], np.float32)


def channel_peaks(tensor: Any) -> Any:
    """Returns the largest absolute value of each channel: (channels,) of (batch, ..., channels)."""
    return ops.max(ops.abs(ops.cast(tensor, "float32")), axis=tuple(range(len(tensor.shape) - 1)))


def channel_means(tensor: Any) -> Any:
    """Returns the mean of each channel: (channels,) of (batch, ..., channels)."""
    return ops.mean(ops.cast(tensor, "float32"), axis=tuple(range(len(tensor.shape) - 1)))


def _pass(model: keras.Model, paths: tuple[str, ...], reduce: Reduce, images: Any) -> dict[str, list[Any]]:
    """Runs the model once."""
    found: dict[str, list[Any]] = {path: [] for path in paths}

    def visit(path: tuple[str, ...], operation: Any, outputs: Any) -> None:  # noqa: ARG001
        here = "/".join(path)
        if here in found:
            found[here].append(reduce(outputs))

    _keras_internals.run_graph(model, images, visit, training=False)
    return found


def _tensorflow(model: keras.Model, paths: tuple[str, ...], reduce: Reduce) -> Watched:
    import tensorflow as tf

    # A partial and no closure: TensorFlow counts traces by code object.
    function = tf.function(partial(_pass, model, paths, reduce), autograph=False, jit_compile=False)
    return lambda images: _arrays(function(tf.constant(images)))


def _jax(model: keras.Model, paths: tuple[str, ...], reduce: Reduce) -> Watched:
    import jax

    variables = list(model.variables)

    @jax.jit
    def function(values: Any, images: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return _pass(model, paths, reduce, images)

    return lambda images: _arrays(function([variable.value for variable in variables], images))


def _torch(model: keras.Model, paths: tuple[str, ...], reduce: Reduce) -> Watched:
    import torch

    def call(images: Floats) -> dict[str, list[Floats]]:
        with torch.no_grad():
            return _arrays(_pass(model, paths, reduce, ops.convert_to_tensor(images)))

    return call


def _plain(model: keras.Model, paths: tuple[str, ...], reduce: Reduce) -> Watched:
    return lambda images: _arrays(_pass(model, paths, reduce, ops.convert_to_tensor(images)))


def _arrays(found: dict[str, list[Any]]) -> dict[str, list[Floats]]:
    return {
        path: [np.asarray(ops.convert_to_numpy(value), np.float32) for value in values]
        for path, values in found.items()
    }


_WATCHES: dict[str, Callable[[keras.Model, tuple[str, ...], Reduce], Watched]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}
