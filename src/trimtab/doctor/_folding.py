"""What folding did with a model, told in terms of its own layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras

from trimtab import _keras_internals
from trimtab.quantization import Folded

if TYPE_CHECKING:
    from trimtab.doctor._examined import Examined

__all__ = ["changes", "standing_alone"]

_NORMS: tuple[type, ...] = (keras.layers.BatchNormalization,)
_SCALING: tuple[type, ...] = (keras.layers.Rescaling, keras.layers.Normalization)
_DEPTHWISE = keras.layers.DepthwiseConv2D  # of one dimension it stays float


def standing_alone(examined: Examined) -> Mapping[str, str]:
    """Returns the batch normalisations that no kernel could take in, by path, each with the reason."""
    folded = examined.folded
    if folded is None:
        return {}
    alone = _alone(folded, examined.operations)
    return {
        path: folded.kept.get(path) or _noted(folded, name)
        for path, name in alone.items()
        if isinstance(examined.operations[path], keras.layers.BatchNormalization)
    }


def _alone(folded: Folded, operations: Mapping[str, Any]) -> dict[str, str]:
    """Returns what became part of no kernel: for each original path, the layer that stands for it now."""
    found: dict[str, str] = {}
    for name, origin in folded.origin.items():
        if not any(_has_kernel(operations.get(path)) for path in origin):
            found.update((path, name) for path in origin if path in operations)
    return found


def _has_kernel(operation: Any) -> bool:
    """Says whether this is a convolution or dense layer."""
    names = ("kernel", "depthwise_kernel")
    return any(getattr(operation, name, None) is not None for name in names)


def _noted(folded: Folded, name: str) -> str:
    """Returns the reason that folding notes for a layer that became a convolution of one pixel."""
    start = f"{name} became a depthwise convolution of one pixel: "
    return next(
        (note[len(start) :].rstrip(".") for note in folded.notes if note.startswith(start)),
        "no kernel stands beside it",
    )


def changes(model: keras.Model, folded: Folded) -> tuple[str, ...]:
    """Says what folding gains, in plain sentences; nothing where the model is as good as it was.

    That an activation inside a layer became a layer of its own is no gain, and is not told.
    """
    operations = _operations(model)
    alone, layers = _alone(folded, operations), {layer.name: layer for layer in folded.model.layers}
    told = []
    for kinds, what in ((_NORMS, "batch normalisation"), (_SCALING, "scaling of the images")):
        paths = [path for path, operation in operations.items() if isinstance(operation, kinds)]
        inside = sum(path not in alone for path in paths)
        apart = sum(path in alone and isinstance(layers.get(alone[path]), _DEPTHWISE) for path in paths)
        if inside:
            told.append(f"{_many(inside, what)} became part of the layers beside {_it(inside)}.")
        if apart:
            told.append(f"{_many(apart, what)} became a depthwise convolution of one pixel, which quantizes.")
    nested = _nested(model)
    if nested:
        told.append(f"{_many(nested, 'nested model')} opened.")
    loose = _loose(operations) - _loose(_operations(folded.model))
    if loose > 0:
        told.append(f"{_many(loose, 'operator')} of keras.ops became layers or part of them.")
    return tuple(told)


def _operations(model: keras.Model) -> dict[str, Any]:
    """Lists each layer and operator of a model by its path."""
    found: dict[str, Any] = {}

    def visit(call: _keras_internals.Call) -> None:
        found["/".join(call.path)] = call.operation

    _keras_internals.walk_graph(model, list(model.inputs), visit)
    return found


def _nested(model: keras.Model) -> int:
    """Counts the models inside a model that can be opened."""
    found: set[int] = set()

    def enter(call: _keras_internals.Call) -> None:
        found.add(id(call.operation))

    _keras_internals.walk_graph(model, list(model.inputs), lambda _: None, enter=enter)
    return len(found)


def _loose(operations: Mapping[str, Any]) -> int:
    """Counts operators that are no layers."""
    return sum(not isinstance(operation, keras.Layer) for operation in operations.values())


def _many(count: int, what: str) -> str:
    if what == "scaling of the images":
        return "The scaling of the images"
    return f"{count} {what}{'' if count == 1 else 's'}"


def _it(count: int) -> str:
    return "it" if count == 1 else "them"
