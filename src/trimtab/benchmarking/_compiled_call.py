"""A Keras model as one compiled function for batches of a fixed shape, on whichever backend is active.

`model.predict` goes through tf.data, whose autotuning thread makes every call end late; a compiled call of
one's own has no such wait, and its time is the model's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

__all__ = ["CompiledCall", "compiled_call"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CompiledCall:
    """A model compiled for one batch shape.

    Args:
        place: puts images where the backend computes.
        run: computes the outputs of placed images, and returns when they are there.
        read: makes a NumPy array of the outputs.
        means: what `run` is, in words.
    """

    place: Callable[[Floats], Any]
    run: Callable[[Any], Any]
    read: Callable[[Any], Floats]
    means: str

    def __call__(self, images: Floats) -> Floats:
        """Returns the outputs (n, classes) of images of exactly the compiled shape."""
        return np.asarray(self.read(self.run(self.place(images))), np.float32)


def compiled_call(model: keras.Model, shape: tuple[int, ...]) -> CompiledCall:
    """Compiles a model's prediction.

    Args:
        model: a built model with one input and one output; it is not changed.
        shape: of the batches, (n, height, width, channels).
    """
    return _COMPILERS.get(keras.config.backend(), _eager)(model, shape)


def _tensorflow(model: keras.Model, shape: tuple[int, ...]) -> CompiledCall:
    """Compiles with tf.function; without XLA, which is slower on a CPU."""
    import tensorflow as tf

    function = tf.function(
        lambda images: model(images, training=False), jit_compile=False, autograph=False
    ).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    threads = tf.config.threading.get_intra_op_parallelism_threads() or "all"
    return CompiledCall(
        place=tf.constant,
        run=lambda images: function(images).numpy(),
        read=np.asarray,
        means=f"tf.function of the Keras model, without XLA, on TensorFlow's own threads ({threads}), which "
        "cannot be set once it has started",
    )


def _jax(model: keras.Model, shape: tuple[int, ...]) -> CompiledCall:  # noqa: ARG001 - compiled at the first call
    """Compiles with jax.jit."""
    import jax

    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    @jax.jit
    def function(trainable: Any, others: Any, images: Any) -> Any:
        return model.stateless_call(trainable, others, images, training=False)[0]

    return CompiledCall(
        place=jax.device_put,
        run=lambda images: jax.block_until_ready(function(trainable, others, images)),
        read=np.asarray,
        means="jax.jit of the Keras model, on JAX's own threads",
    )


def _torch(model: keras.Model, shape: tuple[int, ...]) -> CompiledCall:  # noqa: ARG001
    """Calls the model in PyTorch without gradients."""
    import torch

    def run(images: Any) -> Any:
        with torch.no_grad():
            return model(images, training=False).cpu()

    return CompiledCall(
        place=keras.ops.convert_to_tensor,
        run=run,
        read=keras.ops.convert_to_numpy,
        means=f"PyTorch call of the Keras model without gradients, on {torch.get_num_threads()} threads",
    )


def _eager(model: keras.Model, shape: tuple[int, ...]) -> CompiledCall:  # noqa: ARG001
    """Calls the model as it is, on a backend that has no compiler here."""
    return CompiledCall(
        place=keras.ops.convert_to_tensor,
        run=lambda images: model(images, training=False),
        read=keras.ops.convert_to_numpy,
        means=f"plain call of the Keras model on the {keras.config.backend()} backend",
    )


_COMPILERS: dict[str, Callable[[keras.Model, tuple[int, ...]], CompiledCall]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}
