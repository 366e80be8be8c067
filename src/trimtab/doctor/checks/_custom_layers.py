"""Code of one's own: Lambda layers, layers that are not Keras', models without a graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check
from trimtab.models._kinds import computes_like, nearest_kind

__all__ = ["custom_layers", "graph", "lambda_layers"]


@register_check("graph")
def graph(examined: Examined) -> Iterator[Finding]:
    """A class of one's own as the whole model."""
    if not examined.has_graph:
        yield Finding(
            "no-graph",
            "problem",
            f"The model is a class of its own ({type(examined.model).__name__}), whose code cannot be looked "
            "into.",
            cost="Only single weights can be pruned; channels, folding and training for int8 need a graph.",
            remedy="Build it as keras.Sequential([...]) or keras.Model(inputs, outputs).",
        )


@register_check("lambda")
def lambda_layers(examined: Examined) -> Iterator[Finding]:
    """Lambda layers, which are code and not data."""
    calls = examined.calls_of(keras.layers.Lambda)
    if calls:
        yield Finding(
            "lambda",
            "problem",
            "A Lambda layer is code, which no model file should hold.",
            layers=examined.paths(calls),
            cost="Trimtab neither saves nor loads the model, its channels are locked, and it stays float.",
            remedy="Use operators of keras.ops, or a layer class with get_config.",
        )


@register_check("custom-layers")
def custom_layers(examined: Examined) -> Iterator[Finding]:
    """Layers that compute in a way that is not Keras'."""
    calls = [
        call
        for call in examined.calls_of(keras.Layer)
        if not isinstance(call.operation, keras.layers.Lambda) and _own(call.operation)
    ]
    if calls:
        kinds = ", ".join(dict.fromkeys(type(call.operation).__name__ for call in calls))
        yield Finding(
            "custom-layer",
            "warning",
            f"What {kinds} computes is not known to Trimtab unless you teach it.",
            layers=examined.paths(calls),
            cost="Channels that go through it are locked, and it stays float in int8.",
            remedy="Teach it: channels.register, quantization.register, pruning.prunable_weights.register.",
        )


def _own(layer: Any) -> bool:
    """Says whether a layer's own code computes, and not Keras' or Trimtab's."""
    kind = type(layer)
    if kind.__module__.split(".")[0] in ("keras", "trimtab"):
        return False
    keras_kinds = {parent for parent in kind.__mro__ if parent.__module__.split(".")[0] == "keras"}
    known = nearest_kind(kind, keras_kinds - {keras.Layer})
    return known in (None, keras.layers.Layer) or not computes_like(kind, known)
