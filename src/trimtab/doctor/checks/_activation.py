"""Activations that have a cheaper twin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from trimtab._keras_internals import Call
from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check

__all__ = ["activation_of", "costly_activations"]

_TWINS = {
    "silu": ("hard_silu (hard-swish) or relu6", "two operators, LOGISTIC and MUL, where hard-swish is one"),
    "gelu": ("hard_silu (hard-swish) or relu6", "an operator of its own, where ReLU is none"),
    "mish": ("hard_silu (hard-swish)", "several operators, and float in int8 files"),
    "elu": ("relu or leaky_relu", "an operator of its own, where ReLU is none"),
    "selu": ("relu with batch normalisation", "several operators, and float in int8 files"),
    "softplus": ("relu", "several operators, and float in int8 files"),
}
_LAYERS: dict[type, str] = {keras.layers.Softmax: "softmax", keras.layers.ELU: "elu"}


def activation_of(operation: Any) -> str | None:
    """Names the activation that a layer or operator applies, as Keras does: ``"silu"``; None: none."""
    for kind, name in _LAYERS.items():
        if isinstance(operation, kind):
            return name
    if not isinstance(operation, keras.Layer):
        return type(operation).__name__.lower()
    activation = getattr(operation, "activation", None)
    return str(getattr(activation, "__name__", "")) or None if activation is not None else None


@register_check("activation")
def costly_activations(examined: Examined) -> Iterator[Finding]:
    """Swish, GELU and the like, where a cheaper function learns as well."""
    found: dict[str, list[Call]] = {}
    for call in examined.calls:
        name = activation_of(call.operation)
        if name in _TWINS:
            found.setdefault(str(name), []).append(call)
    for name, calls in found.items():
        twin, cost = _TWINS[name]
        yield Finding(
            "costly-activation",
            "hint",
            f"The activation {'silu (swish)' if name == 'silu' else name} has a cheaper twin.",
            layers=examined.paths(calls),
            cost=f"Each is {cost}.",
            remedy=f"Train with {twin}; the weights must learn again, so change it before training.",
        )
