"""Which layers learn: all, the classifier alone, or the last ones too; the others stand still for a while.

Fine-tuning a model that learned elsewhere begins so: first its new classifier alone, then the blocks next to
it, at a small learning rate (Yosinski et al. 2014, "How transferable are features in deep neural networks?").
"""

from __future__ import annotations

import contextlib
import fnmatch
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from trimtab._keras_internals import Call, all_layers, graph_of, sublayers, walk_graph
from trimtab.errors import ConfigError, ModelError, nearest

__all__ = ["Learning", "checked_trainable", "learning_layers"]

_WORDS = ("all", "head")
_MOST_NAMED = 4  # layers that a note lists by name
_VECTORS = (
    keras.layers.Flatten,
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
)
"""Layers after which there is one vector an image, even where the maps before them were 1x1 already."""


@dataclass(frozen=True, eq=False)
class Learning:
    """The layers of one model that shall learn.

    Args:
        layers: those that learn, by identity; None for as the flags of the model say.
        others: those with weights that stand still.
        note: a sentence that says which learn; empty where nothing was asked for.
    """

    layers: tuple[Any, ...] | None
    others: tuple[Any, ...] = ()
    note: str = ""

    @contextlib.contextmanager
    def applied(self, model: Any) -> Iterator[None]:
        """Sets `trainable` throughout the model for the time of the block, and puts back what was there.

        Batch normalisation that stands still uses its moving averages and leaves them alone, as Keras has it.
        """
        if self.layers is None:
            yield
            return
        flags = [(layer, layer.trainable) for layer in all_layers(model)]
        # The setter reaches down into sublayers: what holds others comes first, so that theirs win.
        flags.sort(key=lambda pair: not sublayers(pair[0]))
        variables = [(variable, variable.trainable) for variable in model.weights]
        try:
            # On TensorFlow, setting what is set already does not reach down: so all off, then all on, since a
            # layer inside a frozen model would not learn.
            for value in (False, True):
                for layer, _ in flags:
                    layer.trainable = value
            for layer in self.others:
                layer.trainable = False
            yield
        finally:
            for layer, flag in flags:
                layer.trainable = flag
            for variable, flag in variables:
                variable.trainable = flag


def checked_trainable(value: Any) -> str | int | tuple[str, ...]:
    """Returns what `train(trainable=...)` was given in the form in which it is kept.

    Raises:
        ConfigError: it is not "all", "head", a number of layers, or a list of names.
    """
    wanted = "'all', 'head', a number of layers before the head (1 or more), or a list of layer names"
    if isinstance(value, str):
        if value in _WORDS:
            return value
        raise ConfigError(
            f"trainable={value!r} is not known; it must be {wanted}, such as [{value!r}]."
            f"{nearest(value, _WORDS)}"
        )
    if hasattr(value, "__index__") and not isinstance(value, bool) and value >= 1:
        return int(value)
    if isinstance(value, Sequence) and value and all(isinstance(name, str) and name for name in value):
        return tuple(value)
    raise ConfigError(f"trainable={value!r} must be {wanted}.")


def learning_layers(model: Any, trainable: str | int | tuple[str, ...]) -> Learning:
    """Finds the layers that shall learn.

    Args:
        model: a built model.
        trainable: "all": as the model's own flags say. "head": the layers after its last feature maps. A
            number: so many layers with weights before the head, and the head. Names (of layers, of models
            nested in it, or with wildcards, such as ``"conv5_*"``): these, and the head.

    Raises:
        ConfigError: a name fits no layer with weights, or there are not so many layers.
        ModelError: the model runs code of its own, so that its last layers cannot be told.
    """
    if trainable == "all":
        return Learning(None)
    if graph_of(model) is None:
        listed, head = _listed(model), 0
        if not isinstance(trainable, tuple):
            raise ModelError(
                f"model {model.name!r} runs code of its own, so which of its layers come last cannot be "
                "told. Name those that shall learn: trainable=['...']."
            )
    else:
        listed, head = _graph(model)
    chosen = list(range(len(listed) - head, len(listed)))
    if isinstance(trainable, tuple):
        chosen += _named(model, listed, trainable)
    elif trainable != "head":
        before = len(listed) - head
        if int(trainable) > before:
            raise ConfigError(
                f"trainable={trainable} asks for more layers than there are: model {model.name!r} has "
                f"{before} with weights before its head. Ask for fewer, or for 'all'."
            )
        chosen += range(before - int(trainable), before)
    learns = tuple(layer for at, (_, layer) in enumerate(listed) if at in set(chosen))
    others = tuple(layer for at, (_, layer) in enumerate(listed) if at not in set(chosen))
    return Learning(learns, others, _note([layer.name for layer in learns], len(listed)))


def _graph(model: Any) -> tuple[list[tuple[tuple[str, ...], Any]], int]:
    """Lists the layers with weights as they are called, with their paths, and counts those of the head.

    The head is what comes after the last feature maps: after the global pooling or the flattening of a usual
    classifier. Where that would be everything or nothing, it is the last layer with weights.
    """
    found: dict[int, tuple[tuple[str, ...], Any]] = {}
    ends = [0]

    def visit(call: Call) -> None:
        if _weighs(call.operation):
            found.setdefault(id(call.operation), (call.path, call.operation))
        if isinstance(call.operation, _VECTORS) or any(_places(shape) > 1 for shape in call.outputs):
            ends.append(len(found))

    symbols = [keras.KerasTensor((1, *tensor.shape[1:]), dtype=tensor.dtype) for tensor in model.inputs]
    walk_graph(model, symbols, visit)
    listed = list(found.values())
    if not listed:
        raise ModelError(f"model {model.name!r} has no weights, so there is nothing to train.")
    before = max((end for end in ends if end < len(listed)), default=0)
    return listed, len(listed) - before if before else 1


def _listed(model: Any) -> list[tuple[tuple[str, ...], Any]]:
    """Lists the layers with weights of a model whose graph cannot be read."""
    layers = [layer for layer in all_layers(model) if layer is not model and not sublayers(layer)]
    return [((layer.name,), layer) for layer in layers if _weighs(layer)]


def _named(model: Any, listed: Sequence[tuple[tuple[str, ...], Any]], patterns: Sequence[str]) -> list[int]:
    """Returns the places in the list that the names mean."""
    spellings = [
        {name for step in range(len(path)) for name in (path[step], "/".join(path[: step + 1]))}
        for path, _ in listed
    ]
    chosen: list[int] = []
    for pattern in patterns:
        fits = [
            at
            for at, names in enumerate(spellings)
            if any(fnmatch.fnmatchcase(name, pattern) for name in names)
        ]
        if not fits:
            known = [path[-1] for path, _ in listed]
            raise ConfigError(
                f"trainable names {pattern!r}, which is no layer with weights of model {model.name!r}."
                f"{nearest(pattern, known)}"
            )
        chosen += fits
    return chosen


def _weighs(operation: Any) -> bool:
    """Tells whether there are weights; operations that are no layers have none."""
    return bool(getattr(operation, "weights", ()))


def _places(shape: Sequence[int | None]) -> int:
    """Counts the places of a map: 1 for a vector an image; a size that is left open counts as more."""
    return math.prod(2 if size is None else size for size in shape[1:-1])


def _note(names: Sequence[str], total: int) -> str:
    """Says which layers learned."""
    shown = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
    return f"{len(names)} of {total} layers with weights learned ({shown}); the others were frozen"
