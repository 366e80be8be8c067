"""A flat model as a list of calls and the tensors between them, which say who makes and who reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.models._graph import check_has_graph

__all__ = ["Step", "Steps", "Tensor", "steps_of"]


@dataclass(eq=False)
class Tensor:
    """What passes between two calls.

    Attributes:
        maker: the call that gives it; None for an input of the model.
        readers: the calls that take it, one entry for each time.
        leaves: whether it is an output of the model.
        name: of the layer that gives it, or of the input.
    """

    name: str
    maker: Step | None = None
    readers: list[Step] = field(default_factory=list)
    leaves: bool = False


@dataclass(eq=False)
class Step:
    """One call of a layer or operator.

    Attributes:
        operation: the layer or operator.
        arguments: positional and named ones, with a `Tensor` in each tensor's place.
        inputs: the tensors that go in, each as often as it does.
        outputs: those that come out.
    """

    operation: Any
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...] = ()

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.operation.name)


@dataclass(frozen=True, eq=False)
class Steps:
    """A model's calls, in the order in which they compute.

    Attributes:
        steps: the calls.
        inputs: the tensors that go into the model.
        outputs: those that come out, in the structure in which the model gives them.
    """

    steps: Sequence[Step]
    inputs: Sequence[Tensor]
    outputs: Any

    @property
    def tensors(self) -> list[Tensor]:
        """All tensors, in the order in which they are made."""
        return [*self.inputs, *(tensor for step in self.steps for tensor in step.outputs)]


def steps_of(model: keras.Model) -> Steps:
    """Lists the calls of a flat model.

    Raises:
        ModelError: the model has no graph.
    """
    check_has_graph(model, "layers")
    known: dict[int, Tensor] = {}
    kept: list[Any] = []  # so that no two tensors ever have one id()
    steps: list[Step] = []

    def visit(call: _keras_internals.Call) -> None:
        arguments = keras.tree.map_structure(
            lambda part: known[id(part)] if isinstance(part, keras.KerasTensor) else part, call.arguments
        )
        step = Step(call.operation, arguments, tuple(known[id(tensor)] for tensor in call.taken))
        step.outputs = tuple(Tensor(step.name, step) for _ in call.given)
        for tensor in step.inputs:
            tensor.readers.append(step)
        known.update((id(given), tensor) for given, tensor in zip(call.given, step.outputs, strict=True))
        kept.extend(call.given)
        steps.append(step)

    inputs = [Tensor(tensor.name) for tensor in model.inputs]
    known.update((id(tensor), ours) for tensor, ours in zip(model.inputs, inputs, strict=True))
    outputs = _keras_internals.walk_graph(model, list(model.inputs), visit)
    outputs = keras.tree.map_structure(lambda tensor: known[id(tensor)], outputs)
    for tensor in keras.tree.flatten(outputs):
        tensor.leaves = True
    return Steps(steps, inputs, outputs)
