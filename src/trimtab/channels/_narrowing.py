"""A model's config with the sizes that it has once channels are gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.channels._groups import ChannelGraph, FollowedCall
from trimtab.channels._layout import Layout, Shape
from trimtab.channels._register import NewSizes, resize_of
from trimtab.channels._resizing import operator_resize
from trimtab.channels._slicing import Slicing

__all__ = ["narrowed"]

_PLAIN_BUILD = {"input_shape", "shapes_dict"}
"""What Keras' own layers note of how they were built: nothing that a call does not tell them again."""


def narrowed(config: dict[str, Any], graph: ChannelGraph, slicing: Slicing) -> dict[str, Any]:
    """Writes the new sizes into a model's config.

    Args:
        config: the config of the graph's model, as `trimtab.models` describes it; it is changed in place.
        graph: the groups.
        slicing: what stays.

    Returns:
        The config.
    """
    sizes = _Sizes(graph, slicing)
    _narrow_model(config, graph.model, sizes)
    return config


class _Sizes:
    """The new sizes of each layer and of each nested model's inputs."""

    def __init__(self, graph: ChannelGraph, slicing: Slicing) -> None:
        self._slicing = slicing
        self._names = {id(axis.variable): axis.weight for axis in graph.axes}
        self._calls: dict[int, FollowedCall] = {}
        for call in graph.calls:
            self._calls.setdefault(id(call.operation), call)
        self._inputs = _inputs_of_nested(graph)

    def of(self, operation: Any) -> NewSizes | None:
        """Gives the new sizes of a layer or operator; None where it is never called."""
        call = self._calls.get(id(operation))
        if call is None:
            return None
        weights = {
            self._names[id(weight)]: self._slicing.shape(weight)
            for weight in getattr(operation, "weights", ())
            if id(weight) in self._names
        }
        shape = self._slicing.of_layout
        return NewSizes(weights, tuple(map(shape, call.inputs)), tuple(map(shape, call.outputs)))

    def inputs_of(self, nested: Any) -> tuple[Shape, ...]:
        """Gives the new shapes of what goes into a nested model; none, where that is not known."""
        return tuple(self._slicing.of_layout(layout) for layout in self._inputs.get(id(nested), ()))


def _inputs_of_nested(graph: ChannelGraph) -> dict[int, tuple[Layout, ...]]:
    """Finds the layouts of what goes into each nested model, by the model's identity, at its first call."""
    if all(_keras_internals.graph_of(layer) is None for layer in graph.model.layers):
        return {}
    found: dict[int, tuple[Layout, ...]] = {}
    layouts: dict[int, Layout] = {}
    calls: Iterator[FollowedCall] = iter(graph.calls)
    kept: list[Any] = []  # so that no two tensors ever have one id()

    def visit(call: _keras_internals.Call) -> None:
        # The graph is walked as it was when the calls were noted, so they come in the same order.
        followed = next(calls)
        kept.extend((*call.given, *call.taken))
        layouts.update(zip(map(id, call.given), followed.outputs, strict=True))

    def enter(call: _keras_internals.Call) -> None:
        found.setdefault(
            id(call.operation),
            tuple(layouts.get(id(tensor), Layout(tuple(tensor.shape))) for tensor in call.taken),
        )

    _keras_internals.walk_graph(graph.model, list(graph.model.inputs), visit, enter=enter)
    return found


def _narrow_model(config: dict[str, Any], model: Any, sizes: _Sizes, *, nested: bool = False) -> None:
    """Writes the new sizes into the config of a model, nested ones included."""
    settings = config["config"]
    if "layers" not in settings:
        return  # a class that describes itself in its own way: what comes of it is compared afterwards
    graph: Any = _keras_internals.graph_of(model)
    operations = {operation.name: operation for operation in graph.operations}
    for entry in settings["layers"]:
        operation = operations[entry.get("name") or entry["config"]["name"]]
        # A layer builds itself again when it is called, from the shapes that it then sees.
        if set(entry.get("build_config") or ()) <= _PLAIN_BUILD:
            entry.pop("build_config", None)
        if _keras_internals.graph_of(operation) is not None:
            _narrow_model(entry, operation, sizes, nested=True)
        else:
            entry["config"].update(_changes(operation, entry, sizes.of(operation)))
    if nested:
        _narrow_inputs(settings, sizes.inputs_of(model))


def _changes(operation: Any, entry: Mapping[str, Any], new: NewSizes | None) -> Mapping[str, Any]:
    """Says what changes in the config of one layer or operator."""
    if new is None:
        return {}
    if not isinstance(operation, keras.Layer):
        return operator_resize(type(operation).__name__, entry["config"], new)
    resize = resize_of(operation)
    return resize(operation, new) if resize is not None else {}


def _narrow_inputs(settings: dict[str, Any], shapes: tuple[Shape, ...]) -> None:
    """Writes the new shapes of what goes into a nested model into its input layers."""
    layers = {entry.get("name") or entry["config"]["name"]: entry for entry in settings["layers"]}
    if "input_layers" in settings:
        names = list(_names(settings["input_layers"]))
    else:  # a Sequential model
        names = [name for name, entry in layers.items() if entry["class_name"] == "InputLayer"]
    if len(names) != len(shapes):
        return
    for name, shape in zip(names, shapes, strict=True):
        noted = layers[name]["config"]["batch_shape"]
        # What the model leaves open stays open, whatever it is called on here.
        layers[name]["config"]["batch_shape"] = [
            there if there is None or size is None else size for there, size in zip(noted, shape, strict=True)
        ]
        if "build_input_shape" in settings:
            settings["build_input_shape"] = layers[name]["config"]["batch_shape"]


def _names(inputs: Any) -> Iterator[str]:
    """Yields the names in a nested structure of [name, node, tensor], in the order of its tensors."""
    if isinstance(inputs, dict):
        for key in sorted(inputs):
            yield from _names(inputs[key])
    elif len(inputs) == 3 and isinstance(inputs[0], str):
        yield str(inputs[0])
    else:
        for part in inputs:
            yield from _names(part)
