"""A model that TensorFlow can trace in float32: same layers, same weights, plain names and types."""

from __future__ import annotations

import re
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError, first_line
from trimtab.models._clone import config_of, rebuild

__all__ = ["in_float32", "plain_model"]

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
    low = _low_precision(model)
    if not odd and not low:
        return model
    why = f"has a layer named {odd[0]!r}, which TensorFlow does not accept" if odd else f"computes in {low}"
    return _rebuilt(model, _plain_names(odd, {layer.name for layer in layers}), why)


def in_float32(model: keras.Model) -> tuple[keras.Model, tuple[str, ...]]:
    """Returns a model that computes in float32, its layers' own names kept, and a note where it did not.

    Any model that does already is returned as it is.

    Raises:
        ModelError: the model must be rebuilt, and cannot be, since it does not serialise.
    """
    low = _low_precision(model)
    if not low:
        return model, ()
    return _rebuilt(model, {}, f"computes in {low}"), (f"the model computes in {low}; this one in float32",)


def _low_precision(model: keras.Model) -> str:
    """Names the number types other than float32 that a model computes in; "" where there are none."""
    return ", ".join(sorted({_policy_name(layer) for layer in _keras_internals.all_layers(model)} & {*_LOW}))


def _rebuilt(model: keras.Model, names: dict[str, str], why: str) -> keras.Model:
    """Returns the model anew, in float32 and with other names for some layers."""
    try:
        plain = rebuild(_rewritten(config_of(model), names), model)
    except ModelError as error:
        raise ModelError(
            f"Model {model.name!r} {why}, and cannot be rebuilt from its config "
            f"({first_line(error.__cause__ or error, 120)}). Rebuild it in float32 with plain layer names "
            "and load its weights."
        ) from error
    layers = _keras_internals.all_layers(model)
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
