"""Quantizers of an aware model turned on and off by variables, so that one compiled pass serves all."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError

__all__ = ["bits_of_weights", "check_aware", "quantizers", "switched"]


def quantizers(model: keras.Model) -> list[Any]:
    """Lists the layers of a model that quantize something, and can be told not to."""
    return [
        layer
        for layer in _keras_internals.all_layers(model)
        if getattr(layer, "carries_ranges", False) and hasattr(layer, "enabled")
    ]


def bits_of_weights(model: keras.Model) -> set[int]:
    """Returns the bits that a model's quantized kernels have: none where it has no such kernels.

    Kernels that cannot have 4 bits keep 8 beside those that can, and do not count there.
    """
    kernels = [layer for layer in quantizers(model) if hasattr(layer, "weight_bits")]
    free = [layer for layer in kernels if layer.fewest_bits < layer.weight_bits or layer.weight_bits == 4]
    return {int(layer.weight_bits) for layer in free or kernels}


def check_aware(model: Any, what: str) -> None:
    """Raises `ModelError` where a model has no quantizers."""
    if not isinstance(model, keras.Model) or not quantizers(model):
        name = repr(model.name) if isinstance(model, keras.Model) else type(model).__name__
        raise ModelError(
            f"{what} needs a model with quantizers and their ranges, but {name} has none. Give what "
            "trimtab.quantization.calibrated(model, images) or trimtab.quantize_aware(...).model is."
        )


@contextlib.contextmanager
def switched(model: keras.Model, on: Collection[Any]) -> Iterator[None]:
    """Lets only some of a model's quantizers quantize for the length of the block.

    Args:
        model: an aware model.
        on: the layers that quantize, of those that `quantizers` lists.
    """
    layers = quantizers(model)
    before = [keras.ops.convert_to_numpy(layer.enabled).copy() for layer in layers]
    chosen = {id(layer) for layer in on}
    try:
        for layer in layers:
            layer.enabled.assign(keras.ops.cast(id(layer) in chosen, layer.enabled.dtype))
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.enabled.assign(value)
