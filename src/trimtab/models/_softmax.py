"""Does a model end in softmax, and the same model without it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab.errors import ModelError
from trimtab.models._clone import config_of, rebuild

__all__ = ["gives_probabilities", "has_softmax", "without_softmax"]

# Layers that may stand after a softmax and leave its numbers as they are.
_NEUTRAL = {"Dropout", "Flatten", "Identity", "Reshape"}
_IMAGES = 4  # to look at the outputs of a model whose graph cannot be read
_TOLERANCE = 1e-2  # of a sum of bfloat16 probabilities, which keep 8 bits


def has_softmax(model: keras.Model) -> bool:
    """Says whether the model's outputs are probabilities: whether it ends in softmax.

    Seen are a last layer with ``activation="softmax"``, an `Activation` or `Softmax` layer,
    `keras.ops.softmax`, and any of them at the end of a nested model. The graph of a subclassed model
    cannot be read: it is run on a few random images, and ends in softmax if each output sums to one.
    """
    try:
        config = config_of(model)
    except ModelError:
        return gives_probabilities(model)
    if "layers" not in config["config"]:
        return gives_probabilities(model)
    return _softmax_entry(config) is not None


def without_softmax(model: keras.Model) -> keras.Model:
    """Returns a new model with the same weights that gives logits instead of probabilities.

    A softmax activation becomes linear; a softmax layer becomes an `Identity` of the same name. The predicted
    class stays the same. A model that does not end in softmax is copied. Nothing is shared with `model`.

    Raises:
        ModelError: the model is subclassed, so that its last step cannot be taken out.
    """
    config = config_of(model)
    if "layers" not in config["config"] and has_softmax(model):
        raise ModelError(
            f"The softmax of {model.name!r} cannot be removed, since the model is a class of its own "
            f"({type(model).__name__}). Let its call method return logits."
        )
    entry = _softmax_entry(config)
    if entry is not None:
        _silence(entry)
    return rebuild(config, model)


def _softmax_entry(model: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the layer's entry in a model's config that computes the final softmax, or None."""
    layers = model["config"].get("layers") or []
    named: dict[str, dict[str, Any]] = {
        layer["config"].get("name", layer.get("name")): layer for layer in layers
    }
    outputs = model["config"].get("output_layers")
    name = _first_name(outputs) if outputs else next(reversed(named), None)
    while name is not None and name in named:
        entry = named[name]
        if _is_softmax(entry):
            return entry
        if "layers" in entry["config"]:
            return _softmax_entry(entry)
        if not _is_neutral(entry):
            return None
        name = _source(entry.get("inbound_nodes")) if outputs else _before(name, list(named))
    return None


def _is_softmax(entry: dict[str, Any]) -> bool:
    """Says whether a layer's config describes a softmax, alone or as its activation."""
    return entry["class_name"] == "Softmax" or _activation(entry) == "softmax"


def _is_neutral(entry: dict[str, Any]) -> bool:
    """Says whether a layer leaves the numbers as they are when the model predicts."""
    linear = entry["class_name"] == "Activation" and _activation(entry) == "linear"
    return linear or entry["class_name"] in _NEUTRAL


def _activation(entry: dict[str, Any]) -> str | None:
    """Names the activation in a layer's config, in lower case."""
    activation = entry["config"].get("activation")
    if isinstance(activation, dict):  # a layer or a registered function as the activation
        inner = activation.get("config")
        activation = inner if isinstance(inner, str) else activation.get("class_name")
    return activation.lower() if isinstance(activation, str) else None


def _silence(entry: dict[str, Any]) -> None:
    """Edits a layer's config: no softmax any more."""
    if entry["class_name"] not in ("Softmax", "Activation"):
        entry["config"]["activation"] = "linear"
        return
    kept = {key: entry["config"][key] for key in ("name", "trainable", "dtype") if key in entry["config"]}
    kept.setdefault("name", entry.get("name"))
    entry.update(module="keras.layers", class_name="Identity", registered_name=None, config=kept)
    for node in entry.get("inbound_nodes", ()):
        node["args"], node["kwargs"] = node["args"][:1], {}


def _before(name: str, names: list[str]) -> str | None:
    """Names the layer before `name` in a Sequential model."""
    place = names.index(name)
    return names[place - 1] if place else None


def _source(nodes: Any) -> str | None:
    """Names the layer whose output a Functional model's layer is first called on."""
    stack = [nodes]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "keras_history" in item:
                return str(item["keras_history"][0])
            stack.extend(reversed(item.values()))
        elif isinstance(item, list | tuple):
            stack.extend(reversed(item))
    return None


def _first_name(outputs: Any) -> str | None:
    """Names the layer of the first output: ``[name, node, tensor]``, a list of such, or a dict of them."""
    while not isinstance(outputs, str):
        if not outputs:
            return None
        outputs = next(iter(outputs.values() if isinstance(outputs, dict) else outputs))
    return outputs


def gives_probabilities(model: keras.Model, images: np.ndarray | None = None) -> bool:
    """Says whether what the model gives for a few images is never negative and sums to one.

    Args:
        model: a built classifier.
        images: float32 (n, height, width, channels); None: random ones, where the model knows their shape.
    """
    if images is None:
        shape = (model.get_build_config() or {}).get("input_shape")
        if not model.built or not shape or None in shape[1:]:
            return False
        images = np.random.default_rng(0).random((_IMAGES, *shape[1:]), dtype=np.float32)
    outputs = np.asarray(keras.ops.convert_to_numpy(model(images, training=False)), dtype=np.float64)
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=_TOLERANCE))
