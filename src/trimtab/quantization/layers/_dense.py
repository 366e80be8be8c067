"""A dense layer with a quantized kernel: one step for all of it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from trimtab.quantization.layers._quantized_weights import QuantizedWeights

__all__ = ["QuantizedDense"]


@keras.saving.register_keras_serializable("trimtab")
class QuantizedDense(QuantizedWeights, keras.layers.Dense):
    """A `keras.layers.Dense` that computes with an int8 (or int4) kernel; see `QuantizedWeights`.

    One step serves the whole kernel: with one for each unit, LiteRT's converter fails.
    """

    channel_axes = ()
    plain = keras.layers.Dense

    def linear(self, inputs: Any, kernel: Any) -> Any:
        """Computes the product alone."""
        return ops.matmul(inputs, kernel)
