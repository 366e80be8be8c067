"""From a flat list of calls to a Keras model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError, first_line
from trimtab.models._clone import copy_trainability, remaking, settle
from trimtab.quantization.folding._network import Network, Part, Tensor

__all__ = ["assembled"]


def assembled(network: Network, original: keras.Model) -> tuple[keras.Model, dict[Part, str]]:
    """Makes the model that a list of calls describes, with layers and weights of its own.

    Raises:
        ModelError: a layer cannot be made again from its config; the message names it.

    Returns:
        The model, and the name that each layer has in it.
    """
    names = _names(network)
    layers: dict[Part, Any] = {}
    with remaking(original):
        model = _connected(network, names, layers, original.name)
        for part, layer in layers.items():
            _fill(part, layer)
    settle(model)
    return model, {part: names[part] for part in layers}


def _names(network: Network) -> dict[Part, str]:
    """Chooses a name for each layer: its own where it is free, else with those of the models around it."""
    taken = set(network.names)
    chosen: dict[Part, str] = {}
    for part in network.parts:
        longer = part.origin[0].replace("/", "_")
        longer = longer if longer.endswith(part.name) else f"{longer}_{part.name}"
        number, name = 1, part.name
        while name in taken:
            name = longer if number == 1 else f"{longer}_{number}"
            number += 1
        taken.add(name)
        chosen[part] = name
    return chosen


def _connected(
    network: Network, names: Mapping[Part, str], layers: dict[Part, Any], name: str
) -> keras.Model:
    """Makes the layers and calls them one on the other."""
    symbols: dict[Tensor, Any] = {}
    for tensor, called in zip(keras.tree.flatten(network.inputs), network.names, strict=True):
        symbols[tensor] = keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=called)

    def symbol(part: Any) -> Any:
        return symbols[part] if isinstance(part, Tensor) else part

    for step in network.steps:
        try:
            if step.part not in layers:
                layers[step.part] = _made(step.part, names[step.part])
            args, kwargs = keras.tree.map_structure(symbol, (step.args, step.kwargs))
            given = layers[step.part](*args, **kwargs)
        except Exception as error:
            raise _not_made(step.part, error) from error
        flat = [part for part in keras.tree.flatten(given) if isinstance(part, keras.KerasTensor)]
        symbols.update(zip(step.outputs, flat, strict=True))
    inputs, outputs = keras.tree.map_structure(symbol, (network.inputs, network.outputs))
    return keras.Model(inputs, outputs, name=name)


def _made(part: Part, name: str) -> Any:
    """Makes one layer or operator from its config."""
    if part.kind is not None:
        config = {**part.kind.get_config(part.layer), **part.config, "name": name}  # type: ignore[attr-defined]
        return part.kind.from_config(config)  # type: ignore[attr-defined]
    if isinstance(part.layer, keras.Layer):
        entry = _keras_internals.serialized(part.layer)
    else:
        entry = dict(keras.saving.serialize_keras_object(part.layer))
    entry["config"] = {**entry["config"], **part.config, "name": name}
    made = _keras_internals.deserialized(entry, {})
    if isinstance(part.layer, keras.Layer):
        copy_trainability(part.layer, made)
    return made


def _fill(part: Part, layer: Any) -> None:
    """Gives a layer its weights."""
    if part.weights is not None:
        for attribute, value in part.weights.items():
            getattr(layer, attribute).assign(value)
    elif getattr(part.layer, "weights", None):
        layer.set_weights(part.layer.get_weights())


def _not_made(part: Part, error: Exception) -> ModelError:
    """Says which layer cannot be made again, and why."""
    return ModelError(
        f"The layer {part.origin[0]!r} ({type(part.layer).__name__}) cannot be made again from its config "
        f"({first_line(error)}). Register custom functions with "
        "@keras.saving.register_keras_serializable(), and let get_config return every argument of __init__."
    )
