"""A model that TensorFlow can trace in float32: same layers, same weights, plain names and types."""

from __future__ import annotations

import re
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError, first_line
from trimtab.models._clone import config_of, rebuild

__all__ = ["plain_model"]

_SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_HOLDS_NAMES = ("name", "keras_history", "input_layers", "output_layers", "kept_float")
_LOW = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")


def plain_model(model: keras.Model) -> keras.Model:
    """Returns a model that converts: float32 throughout, layer names that TensorFlow accepts.

    Training in mixed precision keeps float32 weights and computes in 16 bits, which the runtime has no
    kernels for; and TensorFlow refuses a layer called ``"conv 1"``. Such a model is rebuilt from its
    config with float32 policies and plain names, and given the same weights. Any other is returned as it is.

    Raises:
        ModelError: the model must be rebuilt, and cannot be, since it does not serialise.
    """
    layers = _keras_internals.all_layers(model)
    odd = sorted({layer.name for layer in layers if not _SCOPE.fullmatch(layer.name)})
    low = any(_policy_name(layer) in _LOW for layer in layers)
    if not odd and not low:
        return model
    names = _plain_names(odd, {layer.name for layer in layers})
    try:
        plain = rebuild(_rewritten(config_of(model), names), model)
    except ModelError as error:
        why = "computes in " + ", ".join(sorted({_policy_name(la) for la in layers} & set(_LOW)))
        if odd:
            why = f"has a layer named {odd[0]!r}, which TensorFlow does not accept"
        raise ModelError(
            f"Model {model.name!r} {why}, and cannot be rebuilt from its config "
            f"({first_line(error.__cause__ or error, 120)}). Rebuild it in float32 with plain layer names "
            "and load its weights."
        ) from error
    for layer, twin in zip(layers, _keras_internals.all_layers(plain), strict=False):
        if twin.trainable != layer.trainable:  # `rebuild` finds layers by name, and some have another now
            twin.trainable = layer.trainable
    return plain


def _policy_name(layer: Any) -> str:
    return str(getattr(getattr(layer, "dtype_policy", None), "name", "float32"))


def _plain_names(odd: list[str], taken: set[str]) -> dict[str, str]:
    """Maps each odd name to one that TensorFlow accepts and no other layer has."""
    names: dict[str, str] = {}
    for name in odd:
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        if not _SCOPE.fullmatch(plain):
            plain = f"layer_{plain}"
        while plain in taken:
            plain += "_"
        taken.add(plain)
        names[name] = plain
    return names


def _rewritten(value: Any, names: dict[str, str], key: str = "") -> Any:
    """Returns a serialised config with other layer names and float32 where it says less."""
    if isinstance(value, dict):
        return {name: _rewritten(item, names, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rewritten(item, names, key) for item in value)
    if isinstance(value, str):
        if key in _HOLDS_NAMES and value in names:
            return names[value]
        if key in ("dtype", "name") and value in _LOW:
            return "float32"
    return value
