"""Number types: what computes in 16 bits, and what is quantized already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trimtab import _keras_internals, litert
from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check

__all__ = ["low_precision", "quantized_already"]

_LOW = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")


@register_check("precision")
def low_precision(examined: Examined) -> Iterator[Finding]:
    """Policies other than float32."""
    calls = [call for call in examined.calls if _policy(call.operation) in _LOW]
    if calls:
        names = ", ".join(dict.fromkeys(_policy(call.operation) for call in calls))
        yield Finding(
            "low-precision",
            "hint",
            f"The model computes in {names}; a file does in float32 or integers.",
            layers=examined.paths(calls),
            cost="The file's outputs differ from the model's by the rounding of 16 bits.",
            remedy="Nothing needs to be done: export rebuilds the model in float32 with the same weights.",
        )


@register_check("quantized-already")
def quantized_already(examined: Examined) -> Iterator[Finding]:
    """Keras' own quantization, and models that carry their ranges."""
    layers = _keras_internals.all_layers(examined.model)
    quantized = [layer.name for layer in layers if getattr(layer, "quantization_mode", None) is not None]
    if quantized:
        yield Finding(
            "quantized-by-keras",
            "problem",
            "Keras has made integers of the weights (model.quantize).",
            layers=tuple(quantized),
            cost="The float weights are gone: nothing can be trained, pruned or converted.",
            remedy="Take the model as it was before model.quantize.",
        )
    if litert.carries_ranges(examined.model):
        yield Finding(
            "carries-ranges",
            "hint",
            "The model has fake-quantizers: it carries the ranges of its int8 file.",
            cost="It converts to int8 (or int4) alone.",
            remedy="trimtab.quantization.strip(model) makes an ordinary model of it.",
        )


def _policy(operation: Any) -> str:
    return str(getattr(getattr(operation, "dtype_policy", None), "name", "float32"))
