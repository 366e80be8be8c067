"""Where each layer and each weight of a model is: paths through nested models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError

__all__ = ["named_weights", "placed_layers", "weight_pairs"]


def placed_layers(model: keras.Model, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields each layer that computes, with its path such as ``"base/conv_1"``, nested models opened.

    A layer that stands in two nested models is yielded twice, under both paths.
    """
    for layer in model.layers:
        here = f"{path}{layer.name}"
        if _keras_internals.graph_of(layer) is None:
            yield here, layer
        else:
            yield from placed_layers(layer, f"{here}/")


def named_weights(model: keras.Model) -> list[tuple[str, Any]]:
    """Lists each weight of the model once, with its path such as ``"base/conv_1/kernel"``."""
    found: dict[int, tuple[str, Any]] = {}
    for path, layer in placed_layers(model):
        for weight in layer.weights:
            _, inside, name = weight.path.rpartition(f"{layer.name}/")
            found.setdefault(id(weight), (f"{path}/{name if inside else weight.name}", weight))
    return list(found.values())


def weight_pairs(model: keras.Model, other: keras.Model) -> list[tuple[str, Any, Any]]:
    """Pairs each weight of a model with that of the layer at the same place in a model made from it.

    Keras' own paths of weights do not tell nested models apart, so the pairs are found through the layers.

    Args:
        model: a built model.
        other: a model made from its config, perhaps with other sizes.

    Returns:
        (path of the layer, weight of `model`, weight of `other`), each weight of `model` once.

    Raises:
        ModelError: the models do not consist of the same layers.
    """
    there = dict(placed_layers(other))
    pairs: dict[int, tuple[str, Any, Any]] = {}
    for path, layer in placed_layers(model):
        twin = there.get(path)
        if twin is None and layer.weights:
            raise ModelError(
                f"There is no layer {path!r} once {model.name!r} is made again from its config. Give the "
                "layers that its class makes names of their own."
            )
        names, others = _names(layer), _names(twin)
        if names != others:
            raise ModelError(
                f"The layer {path!r} has the weights {names}, but {others} once it is made again "
                "from its config. Let its get_config return every argument of __init__."
            )
        for weight, its_twin in zip(layer.weights, getattr(twin, "weights", ()), strict=True):
            pairs.setdefault(id(weight), (path, weight, its_twin))
    return list(pairs.values())


def _names(layer: Any) -> list[str]:
    """Lists the names of a layer's weights; one that has none of its own is called "variable_18" by Keras."""
    return [re.sub(r"^variable(_\d+)?$", "variable", weight.name) for weight in getattr(layer, "weights", ())]
