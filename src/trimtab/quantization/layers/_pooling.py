"""Average pooling in integers."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.quantization.layers._source import Sources

__all__ = ["QuantizedAveragePooling2D"]


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
