"""Which weights stay: masks of 0 and 1, exact in the number of weights they keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._threshold import kept, order_bits

__all__ = ["kept", "magnitude_mask", "magnitude_masks", "nonzero_masks"]


def magnitude_mask(weights: Any, sparsity: float) -> Any:
    """Tells which weights of one tensor stay when the smallest magnitudes go.

    It keeps ``max(round(n * (1 - sparsity)), 1)`` weights (float32, halves to even) and all weights
    that tie with the last of them, as TensorFlow Model Optimization does.

    Args:
        weights: floats of any shape and floating dtype.
        sparsity: share of weights to remove, in [0, 1).

    Returns:
        A boolean tensor of the active Keras backend, of the shape of `weights`.

    Raises:
        ConfigError: `sparsity` is out of range, or `weights` is empty or not of a floating dtype.
        ModelError: a weight is NaN.

    Example:
        >>> magnitude_mask([0.1, -3.0, 2.0, 0.5], sparsity=0.5)   # -> [False, True, True, False]
    """
    if not 0 <= sparsity < 1:
        raise ConfigError(f"A mask needs a sparsity from 0 up to, not including, 1, but got {sparsity!r}.")
    tensor = ops.convert_to_tensor(weights)
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if "float" not in dtype or not all(tensor.shape):
        raise ConfigError(
            f"A mask needs floats, at least one, but got {dtype} of shape {tuple(tensor.shape)}."
        )
    if bool(ops.any(ops.isnan(tensor))):
        raise ModelError("The weights hold NaN, which has no magnitude. Train or load the model again.")
    return ops.not_equal(magnitude_masks([tensor], sparsity)[0], 0)


def magnitude_masks(weights: Sequence[Any], sparsity: Any) -> list[Any]:
    """Chooses, tensor by tensor, the masks that keep the largest magnitudes; works in compiled steps.

    Args:
        weights: tensors or variables of floating dtypes.
        sparsity: share to remove, in [0, 1): a number or a float32 scalar tensor.

    Returns:
        One mask of 0 and 1 for each tensor, of its shape and dtype. NaN counts as the largest.
    """
    return Criterion().masks(weights, sparsity)


def nonzero_masks(weights: Sequence[Any]) -> list[Any]:
    """Chooses the masks that keep each weight which is not zero."""
    # On the bits: a comparison of floats takes the tiniest (subnormal) numbers for zero on some devices.
    return [ops.cast(ops.not_equal(order_bits(weight), 0), weight.dtype) for weight in weights]
