"""Average pooling in integers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from trimtab.quantization.layers._source import Sources

__all__ = ["QuantizedAveragePooling2D", "QuantizedGlobalAveragePooling2D"]


@keras.saving.register_keras_serializable("trimtab")
class QuantizedAveragePooling2D(keras.layers.AveragePooling2D):
    """A `keras.layers.AveragePooling2D` whose averages are rounded to the grid of what goes in.

    LiteRT's kernel needs one range for what goes in and what comes out, and rounds halves away from the
    integer 0. With windows of four numbers every fourth average is such a half.
    """

    carries_ranges = True
    converting = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sources = Sources()

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Notes, while a model's graph is built, where the input comes from."""
        self._sources.note(args[0] if args else kwargs["inputs"])
        return super().symbolic_call(*args, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Averages, and rounds."""
        source = self._sources.only
        if source is None:
            return super().call(inputs)
        if training or self.converting:
            return source.rounded(super().call(inputs), training)
        return source.averaged(inputs, super().call)


@keras.saving.register_keras_serializable("trimtab")
class QuantizedGlobalAveragePooling2D(keras.layers.GlobalAveragePooling2D):
    """A `keras.layers.GlobalAveragePooling2D` that sums whole numbers up, and rounds once, as LiteRT does."""

    carries_ranges = True
    converting = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._sources, self._targets = Sources(), Sources()

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Notes, while a model's graph is built, where the input comes from."""
        self._sources.note(args[0] if args else kwargs["inputs"])
        return super().symbolic_call(*args, **kwargs)

    def lead_to(self, quantizer: Any) -> None:
        """Notes, while a model's graph is built, which quantizer rounds the output."""
        self._targets.add(quantizer)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Averages; at inference as LiteRT does."""
        outputs = super().call(inputs)
        source, target = self._sources.only, self._targets.only
        if training or self.converting or source is None or target is None:
            return outputs
        (step, _), (step_out, _) = source.grid(), target.grid()
        total = ops.sum(ops.round(inputs / step), axis=(1, 2), keepdims=self.keepdims)
        pixels = ops.cast(ops.shape(inputs)[1] * ops.shape(inputs)[2], "float32")
        there = ops.round(total * (step / (step_out * pixels))) * step_out
        return ops.where(source.enabled * target.enabled > 0.5, there, outputs)
