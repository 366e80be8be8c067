"""The layer that rounds what passes through it to the 256 numbers that an int8 file has for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab import _keras_internals
from trimtab.errors import ConfigError, nearest
from trimtab.models import layer_macs
from trimtab.quantization._grid import fake_quantized, grid, snapped, through

__all__ = ["RANGES", "FakeQuantizer"]

RANGES = ("moving-average", "learned")
_MOMENTUM = 0.99
_HALF = 1e-3
"""Averages of up to some hundred numbers that are no halves are further from one."""


@keras.saving.register_keras_serializable("trimtab")
class FakeQuantizer(keras.layers.Layer):
    """Rounds activations as an int8 file will: one range for the whole tensor, which includes 0.

    In training the range follows the batches as a moving average of their extremes, or is trained
    (Jain et al. 2020, TQT: the logarithm of each end gets the gradient of rounding and clipping); gradients
    pass through the rounding. At inference halves go to the even number, as LiteRT rounds them.

    Two variables switch it without a new trace: `enabled` (at inference; in training it always rounds) and
    `observing` (whether the range still moves in training). Several tensors may share it, as all inputs of a
    Concatenate must; each then has a slot, whose extremes are followed on their own, and the range holds all.

    Args:
        bits: bits of an integer.
        slots: how many tensors share the range; call it with ``slot=0``, ``slot=1`` and so on.
        fixed: (low, high) that never changes, where LiteRT prescribes it, as for a sigmoid; None: follow.
        ranges: ``"moving-average"`` or ``"learned"``.
        momentum: share of the old range that a step keeps.
        origin: the layers of the original model that give this tensor; said in reports.
        **options: name, dtype and the like.

    Raises:
        ConfigError: an argument makes no sense.

    References:
        Jacob et al.: Quantization and Training of Neural Networks for Efficient Inference, CVPR 2018.
        Jain et al.: Trained Quantization Thresholds, MLSys 2020.
    """

    carries_ranges = True
    converting = False
    """True while the model is written for LiteRT's converter, which wants its own operation."""

    def __init__(
        self,
        bits: int = 8,
        slots: int = 1,
        fixed: Sequence[float] | None = None,
        ranges: str = "moving-average",
        momentum: float = _MOMENTUM,
        origin: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if bits not in (4, 8):
            raise ConfigError(f"A FakeQuantizer has 8 or 4 bits. Received: bits={bits!r}.")
        if ranges not in RANGES:
            raise ConfigError(
                f"ranges={ranges!r} is not known; it must be one of {', '.join(RANGES)}."
                f"{nearest(str(ranges), RANGES)}"
            )
        if not 0 < momentum < 1:
            raise ConfigError(f"momentum is a share between 0 and 1. Received: momentum={momentum!r}.")
        self.bits, self.slots, self.ranges, self.momentum = bits, slots, ranges, momentum
        self.fixed = None if fixed is None else (float(fixed[0]), float(fixed[1]))
        self.origin = tuple(origin)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:  # noqa: ARG002 - Keras' signature
        """Makes the variables; the range is nothing until the model is calibrated."""
        low, high = self.fixed or (0.0, 0.0)

        def variable(name: str, shape: tuple[int, ...], value: float, trainable: bool = False) -> Any:
            start = keras.initializers.Constant(value)
            return self.add_weight(name=name, shape=shape, initializer=start, trainable=trainable)

        self.low = variable("low", (self.slots,), low)
        self.high = variable("high", (self.slots,), high)
        self.enabled = variable("enabled", (), 1.0)
        self.observing = variable("observing", (), 1.0)
        if self.fixed is None:
            # What the calibration chose: of the extremes, or to begin the training from.
            self.chosen = variable("chosen", (2,), 1.0)
        if self.learned:
            self.stretch = variable("stretch", (2,), 0.0, trainable=True)

    @property
    def learned(self) -> bool:
        """Whether the range is trained."""
        return self.ranges == "learned" and self.fixed is None

    def grid(self) -> tuple[Any, Any]:
        """Returns the step and the integer (0 to 255) that means 0, as tensors."""
        return grid(ops.min(self.low), ops.max(self.high), self.bits)

    def range(self) -> tuple[float, float]:
        """Returns the two ends of the range as they are now."""
        low, high = (np.asarray(ops.convert_to_numpy(end), np.float64) for end in (self.low, self.high))
        return min(float(low.min()), 0.0), max(float(high.max()), 0.0)

    def set_range(self, low: Sequence[float], high: Sequence[float], share: Sequence[float] = (1, 1)) -> None:
        """Sets the range.

        Args:
            low: lower end for each slot.
            high: upper end.
            share: which part of the lower and upper extreme the range is meant to hold; a moving average
                follows that part of the batches' extremes.
        """
        if self.fixed is not None:
            return
        self.low.assign(np.asarray(low, np.float32))
        self.high.assign(np.asarray(high, np.float32))
        self.chosen.assign(np.asarray([min(low), max(high)] if self.learned else share, np.float32))
        if self.learned:
            self.stretch.assign(np.zeros(2, np.float32))

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Tells the layer before it, while a model's graph is built, where its output leads."""
        made = _keras_internals.made_by(args[0] if args else kwargs["inputs"])
        while made is not None and _is_rectifier(made[0]):
            made = _keras_internals.made_by(made[1][0])
        if made is not None and hasattr(made[0], "lead_to"):
            made[0].lead_to(self)
        return super().symbolic_call(*args, **kwargs)

    def call(self, inputs: Any, slot: int = 0, training: bool | None = None) -> Any:
        """Rounds, and in training moves the range first."""
        if training and not self.converting and self.trainable and self.fixed is None:
            if self.learned:
                return self._trained(inputs)
            self._follow(inputs, slot)
        return self.rounded(inputs, training)

    def rounded(self, inputs: Any, training: bool | None = None) -> Any:
        """Rounds numbers to the range as it is, and moves nothing.

        Args:
            inputs: what is rounded.
            training: whether gradients are to pass.
        """
        if training or self.converting:
            return fake_quantized(
                inputs, ops.min(self.low), ops.max(self.high), self.bits, exact=not training
            )
        step, zero = self.grid()
        onto = snapped(inputs, step, -zero, float(2**self.bits - 1) - zero)
        return ops.where(self.enabled > 0.5, onto, inputs)

    def averaged(self, inputs: Any, average: Callable[[Any], Any]) -> Any:
        """Averages numbers that lie on its grid, and rounds: halves away from the file's integer 0.

        Args:
            inputs: numbers that this quantizer has rounded.
            average: takes averages of them, such as those of windows.
        """
        step, zero = self.grid()
        middle = zero - float(2 ** (self.bits - 1))  # the file's integers are signed
        # Of whole numbers, since a half must be seen to be one.
        steps = average(ops.round(inputs / step)) + middle
        whole = ops.sign(steps) * ops.floor(ops.abs(steps) + 0.5 + _HALF) - middle
        return ops.where(self.enabled > 0.5, whole * step, average(inputs))

    def _follow(self, inputs: Any, slot: int) -> None:
        """Moves the range of one slot a little towards the extremes of this batch."""
        here = np.zeros(self.slots, np.float32)
        here[slot] = 1 - self.momentum
        rate = ops.convert_to_tensor(here) * self.observing
        for end, extreme, share in ((self.low, ops.min, 0), (self.high, ops.max, 1)):
            seen = ops.stop_gradient(extreme(inputs)) * self.chosen[share]
            end.assign(end + rate * (seen - end))

    def _trained(self, inputs: Any) -> Any:
        """Rounds to the range that is trained, as long as it may move."""
        moving = self.observing > 0.5
        ends = self.chosen * ops.exp(self.stretch)
        low = ops.where(moving, ends[0], ops.min(self.low))
        high = ops.where(moving, ends[1], ops.max(self.high))
        self.low.assign(ops.broadcast_to(ops.stop_gradient(low), (self.slots,)))
        self.high.assign(ops.broadcast_to(ops.stop_gradient(high), (self.slots,)))
        step, zero = grid(low, high, self.bits)
        zero = ops.stop_gradient(zero)
        return through(inputs, step, -zero, float(2**self.bits - 1) - zero)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Gives the shape that goes in."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {
            **super().get_config(),
            "bits": self.bits,
            "slots": self.slots,
            "fixed": self.fixed,
            "ranges": self.ranges,
            "momentum": self.momentum,
            "origin": self.origin,
        }


def _is_rectifier(operation: Any) -> bool:
    """Says whether a layer is a plain ReLU, which the file computes with the layer before it."""
    if type(operation) is keras.layers.Activation:
        return keras.activations.serialize(operation.activation) in ("relu", "relu6")
    return type(operation) is keras.layers.ReLU


@layer_macs.register(FakeQuantizer)
def _rounds(layer: FakeQuantizer, inputs: object, outputs: object) -> int:  # noqa: ARG001
    """It rounds each number alone, and an int8 file rounds as part of the layer before it."""
    return 0
