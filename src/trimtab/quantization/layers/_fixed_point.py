"""The fixed-point arithmetic of LiteRT's kernels, in whole numbers, on tensors of a few hundred entries.

Named after the functions of gemmlowp (Jacob et al. 2018, appendix B) that the kernels are written with.
"""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["hard_swish_steps", "rescaled_steps", "sloped_steps", "sum_steps"]

_MOST, _LEAST = 32767, -32768


def sloped_steps(steps: Any, rising: Any, falling: Any) -> Any:
    """Returns ``rising * steps`` above 0 and ``falling * steps`` below as XNNPACK rounds them.

    Its factors have 8 bits behind the point, for a leaky ReLU and for a change of range alike.

    Args:
        steps: whole numbers, as floats, counted from the integer that means 0.
        rising: factor, a float scalar.
        falling: factor.
    """
    factor = ops.where(steps > 0, ops.round(256.0 * rising), ops.round(256.0 * falling))
    return ops.floor((steps * factor + 128.0) / 256.0)


def sum_steps(one: Any, other: Any, factor: Any, other_factor: Any) -> Any:
    """Returns ``factor * one + other_factor * other`` as XNNPACK rounds it: factors of 21 bits, halves up.

    Args:
        one: int32 whole numbers, counted from the integer that means 0.
        other: likewise.
        factor: a float scalar above 0: what a step of `one` is worth in steps of the result.
        other_factor: that of `other`; below 0 for a difference.

    Returns:
        int32, counted from the integer that means 0, not clipped.
    """
    largest = ops.maximum(ops.abs(factor), ops.abs(other_factor))
    shift = 20.0 - ops.floor(ops.log2(largest))
    whole = [ops.cast(ops.round(part * ops.exp2(shift)), "int32") for part in (factor, other_factor)]
    shift = ops.cast(shift, "int32")
    half = ops.left_shift(ops.ones_like(shift), shift - 1)
    return ops.right_shift(one * whole[0] + other * whole[1] + half, shift)


def rescaled_steps(steps: Any, factor: Any) -> Any:
    """Returns ``factor * steps`` as LiteRT's own kernels round it: ReLU's, and those of int4 convolutions.

    A factor below a half is a fraction from a half to 1 and a power of 2, and it rounds after each of them,
    halves up.

    Args:
        steps: whole numbers, as floats.
        factor: floats above 0 that `steps` broadcast with.
    """
    power = ops.exp2(ops.maximum(-(ops.floor(ops.log2(factor)) + 1.0), 0.0))
    return ops.floor(ops.floor(steps * (factor * power) + 0.5) / power + 0.5)


def hard_swish_steps(steps: Any, step_in: Any, step_out: Any) -> Any:
    """Returns hard-swish as LiteRT's kernel of 16-bit numbers rounds it, in steps of the output.

    Args:
        steps: int32 whole numbers, -255 to 255, counted from the integer that means 0.
        step_in: what a step of them is worth, a float scalar.
        step_out: what a step of the result is to be worth.

    Returns:
        int32, counted from the integer that means 0, not clipped.
    """
    fine = steps * 128
    factor, exponent = _multiplier(step_in / 128.0 / step_out)
    scaled = _rounding_doubling_high_mul(fine, factor)
    factor, gate_exponent = _multiplier(step_in / 128.0 / (3.0 / 32768.0))
    gate = _saturating_left_shift(fine, ops.maximum(gate_exponent - 1, 0))
    gate = _rounding_doubling_high_mul(gate, factor)
    gate = _saturating_left_shift(gate, ops.where(gate_exponent > 0, 1, 0))
    gate = _rounding_divide(gate, ops.maximum(-gate_exponent, 0))
    gate = ops.right_shift(gate + 32768, 1)
    return _rounding_divide(_divide(gate * scaled, 15), ops.maximum(-exponent, 0))


def _multiplier(real: Any) -> tuple[Any, Any]:
    """Returns a real factor as a 16-bit fraction in [0.5, 1) and an exponent of 2, both int32."""
    exponent = ops.floor(ops.log2(real)) + 1.0
    fraction = ops.floor(real / ops.exp2(exponent) * 32768.0 + 0.5)
    return ops.cast(ops.minimum(fraction, float(_MOST)), "int32"), ops.cast(exponent, "int32")


def _rounding_doubling_high_mul(one: Any, other: Any) -> Any:
    """Returns the upper half of twice a product of 16-bit numbers, rounded."""
    product = one * other
    return _divide(product + ops.where(product >= 0, 1 << 14, 1 - (1 << 14)), 15)


def _divide(numbers: Any, exponent: int) -> Any:
    """Divides by a power of 2 as C does: towards 0."""
    size = ops.right_shift(ops.abs(numbers), exponent)
    return ops.where(numbers >= 0, size, -size)


def _rounding_divide(numbers: Any, exponent: Any) -> Any:
    """Divides by a power of 2, halves away from 0."""
    mask = ops.left_shift(ops.ones_like(exponent), exponent) - 1
    rest = ops.bitwise_and(numbers, mask)
    threshold = ops.right_shift(mask, 1) + ops.where(numbers < 0, 1, 0)
    return ops.right_shift(numbers, exponent) + ops.where(rest > threshold, 1, 0)


def _saturating_left_shift(numbers: Any, exponent: Any) -> Any:
    """Multiplies by a power of 2, as far as 16 bits go."""
    return ops.clip(ops.left_shift(numbers, exponent), _LEAST, _MOST)
