"""Following a model's graph: which channels meet where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.channels._grouping import grouped
from trimtab.channels._groups import ChannelGraph, FollowedCall
from trimtab.channels._layout import Layout
from trimtab.channels._register import Follow, follow_of, operator_follow_of
from trimtab.channels._site import Site
from trimtab.channels._ties import Ties
from trimtab.errors import ModelError, first_line
from trimtab.models._graph import check_has_graph

__all__ = ["find_groups"]


def find_groups(model: keras.Model) -> ChannelGraph:
    """Finds which channels of a model can only be removed together.

    Each tensor of the graph gets a number for each channel; layers that make channels make new numbers, and
    whatever adds, multiplies or normalises channels unites the numbers that meet (Fang et al., DepGraph:
    Towards Any Structural Pruning, 2023). Reshaping is followed place by place. What is not understood is
    locked, with the reason: it is never broken. Nothing is computed; the model stays as it is.

    Args:
        model: a built Functional or Sequential model; nested ones are opened.

    Raises:
        ModelError: the model is not built, or is a class whose own code runs, so that it has no graph.

    Returns:
        The groups; `ChannelGroup.locked` says which may be pruned.

    Example:
        Which layers are tied to the first convolution::

            graph = find_groups(model)
            print(graph.group("conv").layers, graph.group("conv").size)
    """
    check_has_graph(model, "channels")
    walk = _Walk()
    try:
        outputs = _keras_internals.walk_graph(model, list(model.inputs), walk.visit, enter=walk.enter)
    except (ValueError, TypeError) as error:
        raise ModelError(f"The graph of {model.name!r} cannot be followed ({first_line(error)}).") from error
    for tensor in keras.tree.flatten(outputs):
        layout = walk.layout(tensor)
        walk.ties.lock(layout.all(), "leads to the model's output")
    return grouped(model, walk.ties, walk.calls)


class _Walk:
    """What is known while the graph is followed."""

    def __init__(self) -> None:
        self.ties = Ties()
        self.calls: list[FollowedCall] = []
        self._layouts: dict[int, Layout] = {}
        self._tensors: list[Any] = []  # kept, so that no two tensors ever have one id()

    def layout(self, tensor: Any) -> Layout:
        """Returns where the channels stand in a tensor; nowhere in an input of the model."""
        return self._layouts.get(id(tensor)) or Layout(tuple(tensor.shape))

    def enter(self, call: _keras_internals.Call) -> None:
        """Notes what goes into a nested model: its inputs have one size, whatever it is called on."""
        for place, tensor in enumerate(call.taken):
            layout = self.layout(tensor)
            for axis in range(1, layout.rank):
                self.ties.tie_calls(call.operation, place, axis, layout.along(axis))

    def visit(self, call: _keras_internals.Call) -> None:
        """Follows the channels through one call."""
        path = "/".join(call.path)
        inputs = [self.layout(tensor) for tensor in call.taken]
        arguments = keras.tree.map_structure(
            lambda part: self.layout(part) if isinstance(part, keras.KerasTensor) else part, call.arguments
        )
        site = Site(path, arguments, inputs, call.outputs, self.ties)
        outputs = self._followed(call.operation, site)
        for tensor, layout in zip(call.given, outputs, strict=True):
            self._layouts[id(tensor)] = layout
        self._tensors.extend(call.given)
        self.calls.append(FollowedCall(call.operation, path, site.inputs, outputs))

    def _followed(self, operation: Any, site: Site) -> tuple[Layout, ...]:
        """Returns the layout of each tensor that comes out; nowhere a channel, where there is no rule."""
        empty = tuple(Layout(shape) for shape in site.outputs)
        rule = _rule_of(operation)
        if isinstance(rule, str):
            self._lock_all(operation, site, rule)
            return empty
        given = rule(operation, site)
        if given is None:
            self._lock_all(
                operation, site, f"{type(operation).__name__} {operation.name!r} is not understood"
            )
            return empty
        outputs = (given,) if isinstance(given, Layout) else tuple(given)
        forgotten = [weight.name for weight in _weights(operation) if not self.ties.knows(weight)]
        if forgotten or not _fit(outputs, site.outputs):
            why = f"has a weight {forgotten[0]!r}" if forgotten else "gives something"
            kind = type(operation).__name__
            self._lock_all(operation, site, f"{kind} {operation.name!r} {why} that is not understood")
            for layout in outputs:
                site.lock(layout, f"{kind} {operation.name!r} {why} that is not understood")
            return empty
        return outputs

    def _lock_all(self, operation: Any, site: Site, why: str) -> None:
        """Locks whatever goes into a layer, and whatever else its weights are used for."""
        for layout in site.inputs:
            site.lock(layout, why)
        for weight in _weights(operation):
            self.ties.disown(weight, why)


def _rule_of(operation: Any) -> Follow | str:
    """Returns the rule of a layer or operator, or why there is none."""
    kind = type(operation).__name__
    if isinstance(operation, keras.Layer):
        if getattr(operation, "quantization_mode", None) is not None:
            return f"{kind} {operation.name!r} is quantized"
        if getattr(operation, "lora_enabled", False):
            return f"{kind} {operation.name!r} has low-rank adapters (LoRA)"
        return follow_of(operation)
    if type(operation).__module__.split(".")[0] != "keras":
        return f"the operator {kind} {operation.name!r} is not one of Keras"
    return operator_follow_of(kind, operation.name)


def _weights(operation: Any) -> list[Any]:
    """Lists the weights of a layer; an operator has none."""
    return list(getattr(operation, "weights", ()))


def _fit(outputs: Sequence[Layout], shapes: Sequence[tuple[int | None, ...]]) -> bool:
    """Says whether a rule has told of each tensor that comes out, with an id for each place."""
    return len(outputs) == len(shapes) and all(
        len(layout.shape) == len(shape) and all(len(ids) == shape[axis] for axis, ids in layout.ids.items())
        for layout, shape in zip(outputs, shapes, strict=True)
    )
