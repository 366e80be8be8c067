"""The forward pass of a model as one compiled function, which sees weights that change between calls.

What Keras compiles for `predict` cannot be used: on TensorFlow its input pipeline makes each call end late,
and on JAX it works on a copy of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

__all__ = ["Outputs", "forward"]

Outputs = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def forward(model: keras.Model) -> Outputs:
    """Compiles a model's prediction once; each call computes with the weights that the model has then.

    Args:
        model: a built model with one input and one output.

    Returns:
        A function from images (n, height, width, channels) to outputs (n, classes), for batches of one size.
    """
    return _FORWARD.get(keras.backend.backend(), _plain)(model)


def _tensorflow(model: keras.Model) -> Outputs:
    import tensorflow as tf

    # Without XLA, which is slower on a CPU. Variables are read anew at each call. A partial and no lambda:
    # TensorFlow counts traces by code object, and would take a run over several models for retracing.
    function = tf.function(partial(model, training=False), autograph=False, jit_compile=False)
    return lambda images: np.asarray(function(tf.constant(images)), np.float32)


def _jax(model: keras.Model) -> Outputs:
    import jax

    @jax.jit
    def function(trainable: Any, others: Any, images: Any) -> Any:
        return model.stateless_call(trainable, others, images, training=False)[0]

    def call(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        trainable = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        return np.asarray(function(trainable, others, images), np.float32)

    return call


def _torch(model: keras.Model) -> Outputs:
    import torch

    def call(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            outputs = model(ops.convert_to_tensor(images), training=False)
        return np.asarray(outputs.float().cpu().numpy(), np.float32)

    return call


def _plain(model: keras.Model) -> Outputs:
    return lambda images: np.asarray(
        ops.convert_to_numpy(ops.cast(model(ops.convert_to_tensor(images), training=False), "float32"))
    )


_FORWARD: dict[str, Callable[[keras.Model], Outputs]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}
