"""Batch normalisation through TensorFlow's fused kernel while a model trains on a CPU.

Keras 3 writes batch normalisation as several operations; TensorFlow has one kernel for all of them.
For the time of the training the layers get a subclass whose training step calls it. The variables
and the numbers are the same up to rounding, and afterwards the layers have their own class again.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras

from trimtab._keras_internals import all_layers

__all__ = ["fused_batch_normalization", "on_tensorflow_cpu"]


def on_tensorflow_cpu() -> bool:
    """Returns whether the model trains through TensorFlow without a GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


@contextlib.contextmanager
def fused_batch_normalization(model: Any) -> Iterator[int]:
    """Trains the model's batch normalisations through the fused kernel inside the block.

    Functions that Keras traced inside the block still hold the kernel: compile the model anew after it.

    Yields:
        How many layers it serves: 0 on other backends and on a GPU.
    """
    layers = [layer for layer in all_layers(model) if _can_be_fused(layer)] if on_tensorflow_cpu() else []
    own = keras.layers.BatchNormalization
    try:
        for layer in layers:
            _set_class(layer, _fused_class())
        yield len(layers)
    finally:
        for layer in layers:
            _set_class(layer, own)


def _can_be_fused(layer: Any) -> bool:
    """Returns whether the kernel computes what this layer computes.

    A subclass may compute anything, and in mixed precision Keras casts in ways of its own: both keep
    their own code.
    """
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.built
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and not layer.renorm
        and not layer.synchronized
        and layer.compute_dtype == "float32"
        and layer.variable_dtype == "float32"
    )


def _set_class(layer: Any, kind: type) -> None:
    """Changes the class of a layer, past Keras' own tracking of attributes."""
    object.__setattr__(layer, "__class__", kind)


@functools.cache
def _fused_class() -> type:
    """Returns the subclass; made when first needed, since it needs TensorFlow."""
    import tensorflow as tf

    class Fused(keras.layers.BatchNormalization):
        """Batch normalisation whose training step is one kernel."""

        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            """Normalises (batch, height, width, channels) over all but the channels."""
            if not training or not self.trainable or mask is not None:
                return super().call(inputs, training=training, mask=mask)
            channels = (inputs.shape[-1],)
            result = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=tf.convert_to_tensor(self.gamma) if self.scale else tf.ones(channels),
                offset=tf.convert_to_tensor(self.beta) if self.center else tf.zeros(channels),
                mean=tf.constant([], tf.float32),
                variance=tf.constant([], tf.float32),
                epsilon=self.epsilon,
                is_training=True,
            )
            self._move(result.batch_mean, result.batch_variance, tf.size(inputs) // channels[0])
            return result.y

        def _move(self, mean: Any, variance: Any, count: Any) -> None:
            """Updates the moving statistics as Keras does: with the variance of the batch itself.

            The kernel gives n / (n - 1) times that variance (Bessel's correction), which is undone.
            """
            count = tf.cast(count, tf.float32)
            variance *= tf.maximum(count - 1.0, 1.0) / count
            kept = self.momentum
            self.moving_mean.assign(self.moving_mean * kept + mean * (1.0 - kept))
            self.moving_variance.assign(self.moving_variance * kept + variance * (1.0 - kept))

    # A model that a callback saves in mid-training must name the layer it really has.
    Fused.__name__ = Fused.__qualname__ = keras.layers.BatchNormalization.__name__
    Fused.__module__ = "keras.layers"
    return Fused
