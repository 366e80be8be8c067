"""The classes of a model's layers, by their names: for what is written in a recipe or typed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ConfigError, nearest

__all__ = ["layer_types"]


def layer_types(model: keras.Model, names: Sequence[str]) -> tuple[type, ...]:
    """Returns the layer classes that are meant by names such as "Dense".

    A class counts where the model has a layer of it or of a subclass; so the name of a parent class chooses
    the layers of all its subclasses. Where several classes have one name, such as Keras' `Dense` and a
    class of yours, all of them are meant.

    Args:
        model: the model whose layers are looked at, nested ones included.
        names: names of classes.

    Raises:
        ConfigError: the model has no layer of such a class.

    Example:
        >>> trimtab.prune(model, data, layers=layer_types(model, ["Dense"]))
    """
    own: set[str] = set()
    known: dict[str, dict[type, None]] = {}  # in the order of the model, each class once
    for layer in _layers(model):
        own.add(type(layer).__name__)
        for parent in type(layer).__mro__:
            if issubclass(parent, keras.layers.Layer) and parent is not keras.layers.Layer:
                known.setdefault(parent.__name__, {})[parent] = None
    for name in names:
        if name not in known:
            raise ConfigError(
                f"The model {model.name!r} has no layer of type {name!r}.{nearest(name, own)} "
                f"Its layers are of: {', '.join(sorted(own)) or 'no type at all'}."
            )
    return tuple(dict.fromkeys(kind for name in names for kind in known[name]))


def _layers(layer: Any) -> Iterator[Any]:
    """Walks through each layer below this one."""
    for child in _keras_internals.sublayers(layer):
        yield child
        yield from _layers(child)
