"""Which weights stay: masks of 0 and 1, exact in the number of weights they keep.

The k-th largest magnitude is found without sorting. The bits of a non-negative float, read as an
integer, are ordered like the floats; so the integer is found bit by bit, from the highest, by asking
how many magnitudes are at least as large: 31 counts for float32, whatever the number of weights. All
weights, of all layers, go through one loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.errors import ConfigError, ModelError

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
    bits = [_magnitude_bits(weight) for weight in weights]
    sizes = [int(np.prod(weight.shape)) for weight in weights]
    thresholds = _largest(bits, kept(sizes, sparsity))
    return [
        ops.cast(ops.greater_equal(bit, threshold), weight.dtype)
        for weight, bit, threshold in zip(weights, bits, thresholds, strict=True)
    ]


def nonzero_masks(weights: Sequence[Any]) -> list[Any]:
    """Chooses the masks that keep each weight which is not zero."""
    # On the bits: a comparison of floats takes the tiniest (subnormal) numbers for zero on some devices.
    return [ops.cast(ops.not_equal(_magnitude_bits(weight), 0), weight.dtype) for weight in weights]


def kept(sizes: Sequence[int], sparsity: Any) -> Any:
    """Returns how many weights of each tensor stay: ``max(round_half_even(n * (1 - s)), 1)`` in float32.

    Args:
        sizes: number of weights of each tensor.
        sparsity: share to remove: a number or a float32 scalar tensor.

    Returns:
        An int32 tensor, one number for each tensor.
    """
    share = ops.subtract(1.0, ops.cast(sparsity, "float32"))
    wanted = ops.round(ops.multiply(ops.convert_to_tensor(np.asarray(sizes, "float32")), share))
    # float32 cannot hold each integer above 2^24, hence the second bound.
    return ops.clip(ops.cast(wanted, "int32"), 1, ops.convert_to_tensor(np.asarray(sizes, "int32")))


def _magnitude_bits(weight: Any) -> Any:
    """Returns integers that are ordered like the magnitudes: the float's bits without the sign."""
    tensor = ops.convert_to_tensor(weight)
    if keras.backend.standardize_dtype(tensor.dtype) == "float64":
        return ops.bitwise_and(ops.view(tensor, "int64"), ops.convert_to_tensor(2**63 - 1, "int64"))
    # float16 and bfloat16 widen to float32 without loss.
    bits = ops.view(ops.cast(tensor, "float32"), "int32")
    return ops.bitwise_and(bits, ops.convert_to_tensor(2**31 - 1, "int32"))


def _largest(bits: Sequence[Any], ranks: Any) -> list[Any]:
    """Returns, for each tensor of non-negative integers, its k-th largest; `ranks` holds each k."""
    if keras.backend.backend() == "torch":
        return [_kth(bit, int(ranks[index])) for index, bit in enumerate(bits)]
    found: list[Any] = [None] * len(bits)
    for dtype, width in (("int32", 31), ("int64", 63)):
        chosen = [i for i, bit in enumerate(bits) if keras.backend.standardize_dtype(bit.dtype) == dtype]
        if chosen:
            wanted = ops.stack([ranks[index] for index in chosen])
            thresholds = _bisect([bits[index] for index in chosen], wanted, dtype, width)
            for position, index in enumerate(chosen):
                found[index] = thresholds[position]
    return found


def _kth(bits: Any, rank: int) -> Any:
    """Returns the `rank`-th largest through torch's own selection, which beats counting there."""
    import torch

    flat = bits.reshape(-1)
    return torch.kthvalue(flat, flat.numel() - rank + 1).values


def _bisect(bits: Sequence[Any], ranks: Any, dtype: str, width: int) -> Any:
    """Finds the k-th largest of each tensor bit by bit: the largest v that k of its numbers reach."""
    highest = ops.convert_to_tensor(2 ** (width - 1), dtype)

    def step(index: Any, found: Any) -> Any:
        bit = ops.right_shift(highest, ops.cast(index, dtype))
        candidates = ops.bitwise_or(found, bit)
        reach = [
            ops.sum(ops.cast(ops.greater_equal(tensor, candidates[position]), "int32"))
            for position, tensor in enumerate(bits)
        ]
        return ops.where(ops.greater_equal(ops.stack(reach), ranks), candidates, found)

    body: Callable[[Any, Any], Any] = step
    return ops.fori_loop(0, width, body, ops.zeros((len(bits),), dtype=dtype))
