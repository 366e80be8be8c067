"""How many stay, and the exact k-th largest score, found without sorting.

The bits of a non-negative float, read as an integer, are ordered like the floats. So the integer is found
digit by digit, from the highest (radix selection): a histogram of a digit, over the scores that agree with
the digits found so far, tells how many scores reach each value of it. Three histograms of 2048 bins serve
any number of float32 weights, in one time whatever they hold: no branch depends on their values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

_DIGITS = {"int32": (3, 11), "int64": (5, 13)}
"""How many digits, and bits in each; together at least the 31 or 63 bits of a non-negative integer."""
_PIECE = 2**20
"""Numbers that torch looks at in one go: what its operations write stays in the processor's cache."""

__all__ = ["kept", "kept_of", "kth_largest", "kth_largest_of_all", "order_bits"]


def kept(units: Sequence[int], sparsity: Any) -> Any:
    """Returns how many units of each weight stay: ``max(round_half_even(n * (1 - s)), 1)`` in float32.

    Args:
        units: number of units of each weight.
        sparsity: share to remove: a number, a float32 scalar tensor, or one share for each weight.

    Returns:
        An int32 tensor, one number for each weight.
    """
    share = ops.subtract(1.0, ops.cast(sparsity, "float32"))
    wanted = ops.round(ops.multiply(ops.convert_to_tensor(np.asarray(units, "float32")), share))
    # float32 cannot hold each integer above 2^24, hence the second bound.
    return ops.clip(ops.cast(wanted, "int32"), 1, ops.convert_to_tensor(np.asarray(units, "int32")))


def kept_of(units: int, sparsity: float) -> int:
    """Returns what `kept` gives for one weight, as a Python integer and without a backend."""
    wanted = np.round(np.float32(units) * (np.float32(1) - np.float32(sparsity)))
    return min(max(int(wanted), 1), units)


def order_bits(scores: Any) -> Any:
    """Returns integers that are ordered like the scores: a float's bits without the sign.

    Args:
        scores: floats of any shape and floating dtype, 0 or more.

    Returns:
        int32 (int64 for float64) of the same shape; NaN gives more than infinity.
    """
    tensor = ops.convert_to_tensor(scores)
    if keras.backend.standardize_dtype(tensor.dtype) == "float64":
        return ops.bitwise_and(ops.view(tensor, "int64"), ops.convert_to_tensor(2**63 - 1, "int64"))
    # float16 and bfloat16 widen to float32 without loss.
    bits = ops.view(ops.cast(tensor, "float32"), "int32")
    return ops.bitwise_and(bits, ops.convert_to_tensor(2**31 - 1, "int32"))


def kth_largest(bits: Sequence[Any], ranks: Any) -> list[Any]:
    """Returns the k-th largest number of each tensor.

    Args:
        bits: tensors of integers, 0 or more, int32 or int64, of any shape.
        ranks: int32 tensor with the k of each, from 1 to its number of elements.

    Returns:
        One scalar of its dtype for each tensor.
    """
    found: list[Any] = [None] * len(bits)
    for dtype in _DIGITS:
        chosen = [i for i, bit in enumerate(bits) if keras.backend.standardize_dtype(bit.dtype) == dtype]
        if chosen:
            thresholds = _radix(
                [[bits[index]] for index in chosen], ops.stack([ranks[index] for index in chosen]), dtype
            )
            for position, index in enumerate(chosen):
                found[index] = thresholds[position]
    return found


def kth_largest_of_all(bits: Sequence[Any], rank: Any) -> Any:
    """Returns the k-th largest number of all tensors together.

    Args:
        bits: tensors of integers, 0 or more, all int32 or all int64, of any shape.
        rank: scalar int32 tensor: the k, from 1 to the number of elements.

    Returns:
        A scalar of their dtype.
    """
    return _radix([bits], ops.reshape(rank, (1,)), keras.backend.standardize_dtype(bits[0].dtype))[0]


def _radix(groups: Sequence[Sequence[Any]], ranks: Any, dtype: str) -> Any:
    """Finds the k-th largest number of each group of tensors, digit by digit."""
    digits, width = _DIGITS[dtype]
    size = 2**width
    groups = [[piece for tensor in group for piece in _pieces(tensor)] for group in groups]
    found = ops.zeros((len(groups),), dtype=dtype)  # the digits so far
    above = ops.zeros((len(groups),), dtype="int32")  # how many numbers are larger than they say
    # Three turns of a Python loop: eager JAX would compile a loop of its own anew at each call.
    for place in reversed(range(digits)):
        shift = ops.convert_to_tensor(place * width, dtype)
        prefix = ops.left_shift(found, ops.convert_to_tensor(width, dtype))
        counts = ops.stack(
            [
                sum(_count_digits(tensor, shift, size, prefix[row]) for tensor in group)
                for row, group in enumerate(groups)
            ]
        )
        # How many numbers have this digit or a larger one; the digit is the last that k of them reach.
        reach = ops.flip(ops.cumsum(ops.flip(counts, axis=1), axis=1), axis=1)
        # Plain sums: ops.add on TensorFlow takes what has one long axis for a bias.
        reached = ops.greater_equal(reach + above[:, None], ranks[:, None])
        digit = ops.subtract(ops.sum(ops.cast(reached, "int32"), axis=1), 1)
        beyond = ops.greater(ops.arange(size, dtype="int32")[None, :], digit[:, None])
        above = above + ops.sum(ops.where(beyond, counts, 0), axis=1)
        found = prefix + ops.cast(digit, dtype)
    return found


def _pieces(bits: Any) -> Sequence[Any]:
    """Cuts a long tensor up on torch, whose eager operations would each fill new memory of its length."""
    if keras.backend.backend() != "torch":
        return (bits,)
    pieces: Sequence[Any] = bits.reshape(-1).split(_PIECE)
    return pieces


def _count_digits(bits: Any, shift: Any, size: int, prefix: Any) -> Any:
    """Counts the values of one digit, over the numbers whose higher digits are those of `prefix`."""
    # Where a higher digit differs, this leaves a number that is too large for the histogram.
    digits = ops.reshape(ops.bitwise_xor(ops.right_shift(bits, shift), prefix), (-1,))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # tf.math.bincount would look for the largest number first.
        return tf.raw_ops.DenseBincount(
            input=digits, size=tf.constant(size, digits.dtype), weights=tf.constant([], tf.int32)
        )
    if keras.backend.backend() == "torch":
        import torch

        return torch.bincount(digits.clamp(max=size), minlength=size + 1)[:size].to(torch.int32)
    import jax.numpy as jnp

    return jnp.bincount(digits, length=size).astype("int32")
