"""Layers that compute as the integers of a file will."""

from __future__ import annotations

from trimtab.quantization.layers._activations import (
    QuantizedHardSigmoid,
    QuantizedHardSwish,
    QuantizedLeakyReLU,
    QuantizedLoneReLU,
    QuantizedReLU,
    QuantizedSwish,
)
from trimtab.quantization.layers._aware_model import QuantizeAwareModel, for_conversion
from trimtab.quantization.layers._convolutions import (
    QuantizedConv1D,
    QuantizedConv2D,
    QuantizedConv2DTranspose,
    QuantizedDepthwiseConv2D,
)
from trimtab.quantization.layers._dense import QuantizedDense
from trimtab.quantization.layers._merging import QuantizedAdd, QuantizedMultiply, QuantizedSubtract
from trimtab.quantization.layers._pooling import QuantizedAveragePooling2D, QuantizedGlobalAveragePooling2D
from trimtab.quantization.layers._quantized_weights import QuantizedWeights
from trimtab.quantization.layers._unfolding import Unfolding

__all__ = [
    "QuantizeAwareModel",
    "QuantizedAdd",
    "QuantizedAveragePooling2D",
    "QuantizedConv1D",
    "QuantizedConv2D",
    "QuantizedConv2DTranspose",
    "QuantizedDense",
    "QuantizedDepthwiseConv2D",
    "QuantizedGlobalAveragePooling2D",
    "QuantizedHardSigmoid",
    "QuantizedHardSwish",
    "QuantizedLeakyReLU",
    "QuantizedLoneReLU",
    "QuantizedMultiply",
    "QuantizedReLU",
    "QuantizedSubtract",
    "QuantizedSwish",
    "QuantizedWeights",
    "Unfolding",
    "for_conversion",
]
