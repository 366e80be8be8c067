"""Sums, differences and products in integers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from trimtab.quantization.layers._fixed_point import sum_steps
from trimtab.quantization.layers._source import Sources

__all__ = ["QuantizedAdd", "QuantizedMultiply", "QuantizedSubtract"]


class _Pair:
    """What merging layers of two tensors have in common; it is mixed into Keras' own classes.

    In training they compute as Keras does. At inference, where the quantizers before and behind are known,
    they round as LiteRT does, from the integers that go in to those that come out.
    """

    carries_ranges = True
    converting = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._sources, self._targets = (Sources(), Sources()), Sources()

    def symbolic_call(self, inputs: Any) -> Any:
        """Notes, while a model's graph is built, where the inputs come from."""
        for source, tensor in zip(self._sources, inputs, strict=False):
            source.note(tensor)
        return super().symbolic_call(inputs)  # type: ignore[misc]

    def lead_to(self, quantizer: Any) -> None:
        """Notes, while a model's graph is built, which quantizer rounds the output."""
        self._targets.add(quantizer)

    def whole(self, one: Any, other: Any, step: Any, other_step: Any, step_out: Any) -> Any:
        """Computes in whole numbers, from steps of the inputs to steps of the output."""
        raise NotImplementedError

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Merges; at inference as LiteRT does."""
        outputs = super().call(inputs)  # type: ignore[misc]
        first, second, target = (kept.only for kept in (*self._sources, self._targets))
        known = first is not None and second is not None and target is not None
        if training or self.converting or not known or len(inputs) != 2:
            return outputs
        (step, _), (other_step, _), (step_out, _) = (known.grid() for known in (first, second, target))
        on = first.enabled * second.enabled * target.enabled
        one, other = ops.round(inputs[0] / step), ops.round(inputs[1] / other_step)
        steps = self.whole(one, other, step, other_step, step_out)
        return ops.where(on > 0.5, steps * step_out, outputs)


@keras.saving.register_keras_serializable("trimtab")
class QuantizedAdd(_Pair, keras.layers.Add):
    """A `keras.layers.Add` of two tensors in integers."""

    def whole(self, one: Any, other: Any, step: Any, other_step: Any, step_out: Any) -> Any:
        """Adds."""
        one, other = ops.cast(one, "int32"), ops.cast(other, "int32")
        return ops.cast(sum_steps(one, other, step / step_out, other_step / step_out), "float32")


@keras.saving.register_keras_serializable("trimtab")
class QuantizedSubtract(_Pair, keras.layers.Subtract):
    """A `keras.layers.Subtract` in integers."""

    def whole(self, one: Any, other: Any, step: Any, other_step: Any, step_out: Any) -> Any:
        """Subtracts."""
        one, other = ops.cast(one, "int32"), ops.cast(other, "int32")
        return ops.cast(sum_steps(one, other, step / step_out, -other_step / step_out), "float32")


@keras.saving.register_keras_serializable("trimtab")
class QuantizedMultiply(_Pair, keras.layers.Multiply):
    """A `keras.layers.Multiply` of two tensors in integers."""

    def whole(self, one: Any, other: Any, step: Any, other_step: Any, step_out: Any) -> Any:
        """Multiplies."""
        return ops.round(one * other * (step * other_step / step_out))
