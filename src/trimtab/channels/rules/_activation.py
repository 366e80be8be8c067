"""Activations: which of them treat each channel alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab.channels._layout import Layout
from trimtab.channels._site import Site

__all__ = ["activated"]

_ALONE = {
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "tanh",
    "tanh_shrink",
    "threshold",
}
_ALL_TOGETHER = {"log_softmax", "softmax", "sparsemax"}


def activated(activation: Any, site: Site, layout: Layout) -> Layout:
    """Follows channels through an activation function.

    A softmax sees how many channels there are. Another one than Keras' own is tried on a few numbers: where
    it gives other results once some channels are missing, all that goes in is locked.

    Args:
        activation: the function, or None.
        site: the call of the layer that has it.
        layout: what goes in.

    Returns:
        The layout of what comes out: the same.
    """
    name = getattr(activation, "__name__", type(activation).__name__)
    own = getattr(activation, "__module__", "").split(".")[0] == "keras"
    if activation is None or (own and name in _ALONE):
        return layout
    if own and name in _ALL_TOGETHER:
        site.inexact(layout.along(-1))
    elif not _treats_each_alone(activation):
        site.lock(layout, f"the activation {name!r} of {site.path!r} does not treat each channel alone")
    return layout


def _treats_each_alone(activation: Any) -> bool:
    """Says whether a function gives the same for the channels that are left when some are missing."""
    numbers = np.random.default_rng(0).normal(size=(2, 3, 3, 6)).astype("float32")
    left = [0, 1, 3]
    try:
        whole = keras.ops.convert_to_numpy(activation(keras.ops.convert_to_tensor(numbers)))
        part = keras.ops.convert_to_numpy(activation(keras.ops.convert_to_tensor(numbers[..., left])))
    except Exception:  # it is the user's function: whatever it raises, it is not followed
        return False
    return (
        whole.shape == numbers.shape
        and part.shape == whole[..., left].shape
        and np.allclose(whole[..., left], part, atol=1e-6)
    )
