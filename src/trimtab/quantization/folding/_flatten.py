"""From a Keras model, nested models included, to a flat list of calls."""

from __future__ import annotations

from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError, first_line
from trimtab.models._graph import check_has_graph
from trimtab.quantization.folding._network import Network, Part, Step, Tensor

__all__ = ["flattened"]


def flattened(model: keras.Model) -> Network:
    """Lists the calls of a model's layers in order; those of nested models stand in their place.

    Raises:
        ModelError: the model is not built, or has no graph.
    """
    check_has_graph(model, "layers")
    graph: Any = _keras_internals.graph_of(model)
    walk = _Walk()
    inputs = keras.tree.map_structure(walk.tensor, graph.input)
    try:
        given = _keras_internals.walk_graph(model, list(graph.inputs), walk.visit)
    except (ValueError, TypeError) as error:
        raise ModelError(f"The graph of {model.name!r} cannot be followed ({first_line(error)}).") from error
    outputs = keras.tree.map_structure(walk.tensor, given)
    network = Network(inputs, [tensor.name for tensor in graph.inputs], outputs, walk.steps)
    network.sweep()
    for step in network.steps:
        if isinstance(step.layer, keras.Model):
            network.kept[step.part.origin[0]] = (
                f"it is a class of its own ({type(step.layer).__name__}) whose code has no graph"
            )
    return network


class _Walk:
    """The calls so far."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._parts: dict[int, Part] = {}
        self._tensors: dict[int, Tensor] = {}
        self._seen: list[Any] = []  # kept, so that no two tensors ever have one id()

    def tensor(self, symbol: Any) -> Any:
        """Returns what stands for a `keras.KerasTensor`; other things as they are."""
        if not isinstance(symbol, keras.KerasTensor):
            return symbol
        if id(symbol) not in self._tensors:
            self._tensors[id(symbol)] = Tensor(tuple(symbol.shape), symbol.dtype)
            self._seen.append(symbol)
        return self._tensors[id(symbol)]

    def visit(self, call: _keras_internals.Call) -> None:
        """Notes one call."""
        layer = call.operation
        part = self._parts.setdefault(id(layer), Part(layer, layer.name, ("/".join(call.path),)))
        args, kwargs = keras.tree.map_structure(self.tensor, call.arguments)
        self.steps.append(Step(part, tuple(args), kwargs, tuple(map(self.tensor, call.given))))
