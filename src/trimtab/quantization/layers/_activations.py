"""Activations that LiteRT computes in several steps of integers, or in a way of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from trimtab.quantization._fake_quantizer import FakeQuantizer
from trimtab.quantization._grid import fake_quantized
from trimtab.quantization.layers._fixed_point import (
    hard_swish_steps,
    rescaled_steps,
    sloped_steps,
    sum_steps,
)
from trimtab.quantization.layers._source import Sources

__all__ = [
    "GATE",
    "QuantizedHardSigmoid",
    "QuantizedHardSwish",
    "QuantizedLeakyReLU",
    "QuantizedLoneReLU",
    "QuantizedReLU",
    "QuantizedSwish",
]

GATE = (0.0, 255 / 256)
"""The range of a sigmoid or softmax in LiteRT: steps of 1/256 from 0."""


class _Activation(keras.layers.Layer):
    """What these layers have in common."""

    carries_ranges = True
    converting = False

    def __init__(self, origin: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self.origin = tuple(origin)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Gives the shape that goes in."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {**super().get_config(), "origin": self.origin}


class _Curve(_Activation):
    """An activation that LiteRT rounds in its own way, from integers to integers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._sources, self._targets = Sources(), Sources()

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Notes, while a model's graph is built, where the input comes from."""
        self._sources.note(args[0] if args else kwargs["inputs"])
        return super().symbolic_call(*args, **kwargs)

    def lead_to(self, quantizer: Any) -> None:
        """Notes, while a model's graph is built, which quantizer rounds the output."""
        self._targets.add(quantizer)

    def curve(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes it in real numbers."""
        raise NotImplementedError

    def whole(self, steps: Any, step_in: Any, step_out: Any) -> Any:
        """Computes it in whole numbers, from steps of the input to steps of the output."""
        raise NotImplementedError

    def inner_enabled(self) -> Any:
        """Returns 1 where quantizers inside the layer are switched on, else 0."""
        return 1.0

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes it; at inference as LiteRT does."""
        source, target = self._sources.only, self._targets.only
        if training or self.converting or source is None or target is None:
            return self.curve(inputs, training)
        (step_in, _), (step_out, _) = source.grid(), target.grid()
        on = source.enabled * target.enabled * self.inner_enabled()
        there = self.whole(ops.round(inputs / step_in), step_in, step_out) * step_out
        return ops.where(on > 0.5, there, self.curve(inputs, training))


@keras.saving.register_keras_serializable("trimtab")
class QuantizedSwish(_Curve):
    """``x * sigmoid(x)`` (Ramachandran et al. 2017) with a rounded sigmoid: two operators in LiteRT."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gate = FakeQuantizer(fixed=GATE, name="gate", dtype="float32")

    def build(self, input_shape: Any) -> None:
        """Makes the inner quantizer."""
        self.gate.build(input_shape)

    def inner_enabled(self) -> Any:
        """Returns whether the sigmoid is rounded."""
        return self.gate.enabled

    def curve(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes the product."""
        return inputs * self.gate(ops.sigmoid(inputs), training=training)

    def whole(self, steps: Any, step_in: Any, step_out: Any) -> Any:
        """Computes the sigmoid in steps of 1/256, and the product."""
        gate = ops.clip(ops.round(ops.sigmoid(steps * step_in) * 256.0), 0.0, 255.0)
        return ops.round(steps * gate * (step_in / 256.0 / step_out))


@keras.saving.register_keras_serializable("trimtab")
class QuantizedHardSigmoid(_Curve):
    """``relu6(x + 3) / 6``, whose sum is rounded: LiteRT has two operators for it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sum = FakeQuantizer(fixed=(0.0, 6.0), name="sum", dtype="float32")

    def build(self, input_shape: Any) -> None:
        """Makes the inner quantizer."""
        self.sum.build(input_shape)

    def inner_enabled(self) -> Any:
        """Returns whether the sum is rounded."""
        return self.sum.enabled

    def curve(self, inputs: Any, training: bool | None = None) -> Any:
        """Computes the gate."""
        three, sixth = ops.convert_to_tensor(3.0), ops.convert_to_tensor(1 / 6)
        if self.converting:  # constants need ranges too
            three, sixth = fake_quantized(three, 0.0, 3.0), fake_quantized(sixth, 0.0, 1 / 6)
        return self.sum(ops.relu6(inputs + three), training=training) * sixth

    def whole(self, steps: Any, step_in: Any, step_out: Any) -> Any:
        """Computes the sum in 255 steps up to 6; the product only gives them another meaning."""
        (step, _), three = self.sum.grid(), ops.convert_to_tensor(3.0 / 255.0)
        steps = ops.cast(steps, "int32")
        total = sum_steps(steps, ops.full_like(steps, 255), step_in / step, three / step)
        sixth = ops.convert_to_tensor(1 / 6 / 255)
        return ops.round(ops.cast(ops.clip(total, 0, 255), "float32") * 255.0 * (step * sixth / step_out))


@keras.saving.register_keras_serializable("trimtab")
class QuantizedHardSwish(_Curve):
    """``x * relu6(x + 3) / 6`` (Howard et al. 2019), written so that LiteRT makes one operator of it."""

    def curve(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002
        """Computes the product."""
        return inputs * ops.relu6(inputs + 3.0) * (1 / 6)

    def whole(self, steps: Any, step_in: Any, step_out: Any) -> Any:
        """Looks it up in a table of what LiteRT's kernel gives."""
        table = hard_swish_steps(ops.arange(-255, 256, dtype="int32"), step_in, step_out)
        place = ops.clip(ops.cast(steps, "int32") + 255, 0, 510)
        return ops.cast(ops.take(table, place), "float32")


@keras.saving.register_keras_serializable("trimtab")
class QuantizedLeakyReLU(_Curve):
    """``max(x, slope * x)``, or a ReLU that is computed with the pooling before it and a change of range.

    Args:
        slope: of the lower half, 0 to 1.
        most: the largest value, where there is one.
        **options: name, dtype and the like.
    """

    def __init__(self, slope: float = 0.0, most: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.slope, self.most = float(slope), most

    def curve(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002
        """Computes it in real numbers."""
        if self.most is not None:
            return ops.relu6(inputs) if self.most == 6 else ops.clip(inputs, 0.0, self.most)
        return ops.leaky_relu(inputs, self.slope) if self.slope else ops.relu(inputs)

    def whole(self, steps: Any, step_in: Any, step_out: Any) -> Any:
        """Computes it with factors of 8 bits behind the point."""
        rising = step_in / step_out
        return sloped_steps(steps, rising, rising * self.slope)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {**super().get_config(), "slope": self.slope, "most": self.most}


@keras.saving.register_keras_serializable("trimtab")
class QuantizedLoneReLU(_Curve):
    """A ReLU that is an operator of its own, since nothing comes right before it that computes it too.

    Args:
        most: the largest value, where there is one.
        **options: name, dtype and the like.
    """

    def __init__(self, most: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.most = most

    def curve(self, inputs: Any, training: bool | None = None) -> Any:  # noqa: ARG002
        """Computes it in real numbers."""
        return ops.relu6(inputs) if self.most == 6 else ops.relu(inputs)

    def whole(self, steps: Any, step_in: Any, step_out: Any) -> Any:
        """Computes it with a factor of 31 bits."""
        return rescaled_steps(ops.relu(steps), step_in / step_out)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {**super().get_config(), "most": self.most}


@keras.saving.register_keras_serializable("trimtab")
class QuantizedReLU(_Activation):
    """A ReLU that is computed with the average pooling before it: its output has the range of its input.

    Args:
        most: the largest value, where there is one.
        **options: name, dtype and the like.
    """

    def __init__(self, most: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.most = most
        self._sources = Sources()

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Notes, while a model's graph is built, where the input comes from."""
        self._sources.note(args[0] if args else kwargs["inputs"])
        return super().symbolic_call(*args, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Clips, and rounds to the grid of what goes in."""
        outputs = ops.relu6(inputs) if self.most == 6 else ops.relu(inputs)
        source = self._sources.only
        return outputs if source is None else source.rounded(outputs, training)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments."""
        return {**super().get_config(), "most": self.most}
