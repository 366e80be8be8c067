"""Integers that stand for real numbers: how far apart they are, which one means 0, and how to get to them.

``real = step * (integer - zero)`` (Jacob et al. 2018, eq. 1). Activations have 2^bits integers and a zero
anywhere among them; weights have one less, so that they lie evenly on both sides of a zero at 0.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = [
    "fake_quantized",
    "fake_quantized_weights",
    "grid",
    "rounded_if",
    "snapped",
    "through",
    "weight_limit",
]

_LEAST_WIDTH = 1e-9
"""A range that is no wider than this belongs to a tensor that was never anything but 0."""


def grid(low: Any, high: Any, bits: int = 8) -> tuple[Any, Any]:
    """Returns the step between two integers, and the integer (from 0 on) that means 0.

    Args:
        low: lower end of the range, a scalar tensor; 0 is taken in.
        high: upper end.
        bits: bits of an integer.

    Returns:
        Step and zero, float32 scalars. Zero is rounded, which moves the range by up to half a step, as
        LiteRT's converter does.
    """
    low, high = (_short(end) for end in _with_zero(low, high))
    levels = float(2**bits - 1)
    step = (high - low) / levels
    return step, ops.clip(ops.round(-low / step), 0.0, levels)


def _with_zero(low: Any, high: Any) -> tuple[Any, Any]:
    """Takes 0 into a range, and gives it some width."""
    low, high = ops.minimum(low, 0.0), ops.maximum(high, 0.0)
    return low, ops.where(high - low > _LEAST_WIDTH, high, low + 1.0)


def _short(number: Any) -> Any:
    """Returns a number with 12 bits behind its leading one (Veltkamp 1968).

    The converter computes the step in double precision. The difference of two short numbers is exact in
    single precision, so that the step here has the same bits.
    """
    large = number * 4097.0
    return large - (large - number)


def snapped(numbers: Any, step: Any, least: Any, most: Any) -> Any:
    """Returns numbers on the grid: whole steps from `least` to `most`, halves to the even one."""
    return ops.clip(ops.round(numbers / step), least, most) * step


def through(numbers: Any, step: Any, least: Any, most: Any) -> Any:
    """Returns numbers on the grid, in a way that gradients pass through the rounding.

    What is inside the range hands on its gradient as if it were not rounded (Bengio et al. 2013), what is
    outside none. Where `step` is trained, it gets the gradient of rounding and clipping (Esser et al. 2020,
    LSQ, eq. 3).
    """
    steps = numbers / step
    whole = steps + ops.stop_gradient(ops.round(steps) - steps)
    return ops.clip(whole, least, most) * step


def rounded_if(steps: Any, on: Any) -> Any:
    """Rounds to whole numbers where `on` is 1, a scalar; where it is 0, all stays as it is."""
    return ops.where(on > 0.5, ops.round(steps), steps)


def fake_quantized(numbers: Any, low: Any, high: Any, bits: int = 8, *, exact: bool = False) -> Any:
    """Returns numbers on the grid of a range, as one operation that LiteRT's converter knows.

    Gradients are those of `through` for fixed ranges. Halves go up.

    Args:
        numbers: what is rounded.
        low: lower end of the range, a scalar tensor; 0 is taken in.
        high: upper end.
        bits: bits of an integer.
        exact: whether the grid has the bits of `grid`, which a training need not wait for.
    """
    low, high = _with_zero(low, high)
    if exact:
        low, high = _short(low), _short(high)
    return keras.quantizers.fake_quant_with_min_max_vars(numbers, low, high, num_bits=bits)


def fake_quantized_weights(kernel: Any, peaks: Any, bits: int, axis: int | None) -> Any:
    """Returns a kernel on its grid, as one operation that LiteRT's converter knows.

    Args:
        kernel: the weights.
        peaks: the largest weight that is not clipped, for each place along `axis`, in any shape.
        bits: bits of an integer.
        axis: the axis along which each place has a step of its own; None: one step for all.
    """
    peaks = ops.reshape(peaks, () if axis is None else (-1,))
    return keras.quantizers.fake_quant_with_min_max_vars(
        kernel, -peaks, peaks, num_bits=bits, narrow_range=True, axis=axis
    )


def weight_limit(bits: int) -> int:
    """Returns the largest integer that a weight may be: 127 for 8 bits, 7 for 4; the least is less that."""
    return int(2 ** (bits - 1)) - 1
