"""Which quantizers of an aware model belong to which layer of the model it was made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.quantization._fake_quantizer import FakeQuantizer
from trimtab.quantization._steps import Step, Steps, Tensor, steps_of

__all__ = ["Row", "Rows"]

_ACTIVATIONS = tuple(
    getattr(keras.layers, name) for name in ("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax")
)
_POOLING = tuple(
    getattr(keras.layers, name)
    for name in ("AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D")
)


@dataclass(frozen=True, eq=False)
class Row:
    """A layer of the original model, and what quantizes it.

    Args:
        name: the original layer's path; for what was split into several layers there is one row.
        parameters: numbers in its quantized kernels and their biases.
        quantizers: its layers with quantized kernels, and the quantizers of what it gives, behind the
            activation that is computed with it.
    """

    name: str
    parameters: int
    quantizers: tuple[Any, ...]


class Rows:
    """The layers of an aware model by their original names, and which quantizers are on when some are float.

    Args:
        aware: a flat model with quantizers.
        origin: paths of the original layers, by the name of a layer of `aware`, as `fold` tells them; what is
            not in it is called as its quantizers say.
    """

    def __init__(self, aware: keras.Model, origin: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._steps: Steps = steps_of(aware)
        found: dict[str, list[Any]] = {}
        for step in self._steps.steps:
            for layer in _own(step):
                row = found.setdefault(_name(step, layer, origin or {}), [])
                if all(layer is not other for other in row):
                    row.append(layer)
        self.rows = tuple(
            Row(name, sum(_parameters(layer) for layer in layers), tuple(layers))
            for name, layers in found.items()
        )

    @property
    def every(self) -> list[Any]:
        """All quantizers."""
        return [layer for row in self.rows for layer in row.quantizers]

    def on(self, kept_float: Collection[str]) -> list[Any]:
        """Returns the quantizers that are left where some layers compute in float, as `place` decides it.

        What such a layer gives is still rounded where a layer of integers reads it, or where it leaves the
        model. Layers without weights that are given nothing but floats compute in float too.

        Args:
            kept_float: names of rows with parameters.
        """
        kernels = {
            id(layer)
            for row in self.rows
            if row.name in kept_float
            for layer in row.quantizers
            if not isinstance(layer, FakeQuantizer)
        }
        floating = self._floating(kernels)
        off = set(kernels)
        needed: set[int] = set()
        for step in self._steps.steps:
            if isinstance(step.operation, FakeQuantizer):
                maker = _maker(step.inputs[0])
                if maker in floating and not _read_by_integers(step.outputs[0], floating):
                    off.add(id(step.operation))
                else:
                    needed.add(id(step.operation))
            elif step in floating:
                off.update(id(layer) for layer in _own(step))
        return [layer for layer in self.every if id(layer) not in off or id(layer) in needed]

    def _floating(self, kernels: set[int]) -> set[Step]:
        """Returns the calls that compute in float."""
        floating: set[Step] = set()
        for step in self._steps.steps:
            if isinstance(step.operation, FakeQuantizer):
                continue
            weighty = bool(getattr(step.operation, "kernel", None) is not None)
            given = [_maker(tensor) for tensor in step.inputs]
            follows = not weighty and bool(given) and all(maker in floating for maker in given)
            if id(step.operation) in kernels or follows:
                floating.add(step)
        return floating


def _own(step: Step) -> list[Any]:
    """Lists the quantizers in a call: the layer itself, or what it has inside."""
    if not getattr(step.operation, "carries_ranges", False):
        return []
    layers = [step.operation, *_keras_internals.sublayers(step.operation)]
    return [layer for layer in layers if hasattr(layer, "enabled")]


def _name(step: Step, layer: Any, known: Mapping[str, tuple[str, ...]]) -> str:
    """Returns the name of the row that a quantizer belongs to."""
    maker = _maker(step.inputs[0]) if isinstance(step.operation, FakeQuantizer) else step
    if maker is None:
        return step.inputs[0].name
    home = _home(maker)
    own: Any = getattr(home.operation, "origin", ())
    origin = known.get(home.name) or own
    if not origin and home is maker and getattr(layer, "slots", 0) == 1:
        origin = layer.origin
    return _own_path(home.name, origin) if origin else home.name


def _own_path(name: str, origin: Sequence[str]) -> str:
    """Returns the path of the layer itself, of all it stands for: what it has taken in may come first."""
    for path in origin:
        if path.rsplit("/", 1)[-1] == name or path.replace("/", "_") == name:
            return str(path)
    return str(origin[0])


def _home(step: Step) -> Step:
    """Returns the layer that an activation belongs to: one with weights, or that is computed with it."""
    while isinstance(step.operation, _ACTIVATIONS) or _is_inner(step):
        maker = _maker(step.inputs[0])
        if maker is None:
            return step
        together, weighty = step.inputs[0].maker is maker, hasattr(maker.operation, "origin")
        if not (together or weighty):
            return step
        step = maker
    return step


def _is_inner(step: Step) -> bool:
    """Says whether this is an activation that has quantizers inside, and no sum or average of integers."""
    operation = step.operation
    return (
        getattr(operation, "carries_ranges", False)
        and len(step.inputs) == 1
        and not isinstance(operation, (FakeQuantizer, *_POOLING))
        and getattr(operation, "kernel", None) is None
    )


def _maker(tensor: Tensor) -> Step | None:
    """Returns the call that made a tensor, before it was rounded; None for an input of the model."""
    while tensor.maker is not None and isinstance(tensor.maker.operation, FakeQuantizer):
        tensor = tensor.maker.inputs[0]
    return tensor.maker


def _read_by_integers(tensor: Tensor, floating: set[Step]) -> bool:
    """Says whether a tensor, made in float, must be rounded for those who read it."""
    if tensor.leaves:
        return True
    for step in tensor.readers:
        if isinstance(step.operation, FakeQuantizer):
            rounded = _read_by_integers(step.outputs[0], floating)
        elif step not in floating:
            rounded = True
        else:
            # What only moves numbers about has no quantizer behind it, and is looked through.
            behind = step.outputs[0]
            own = any(isinstance(reader.operation, FakeQuantizer) for reader in behind.readers)
            rounded = not own and _read_by_integers(behind, floating)
        if rounded:
            return True
    return False


def _parameters(layer: Any) -> int:
    """Counts the numbers that a layer with a quantized kernel holds."""
    return 0 if isinstance(layer, FakeQuantizer) else int(layer.parameters())
