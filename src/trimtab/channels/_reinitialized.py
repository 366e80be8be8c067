"""The same model with the weights of a beginner: what a narrower copy starts its training from."""

from __future__ import annotations

import random
from typing import Any

import keras

from trimtab.channels._places import placed_layers, weight_pairs
from trimtab.errors import ConfigError
from trimtab.models._clone import clone, config_of, remade
from trimtab.models._random_state import undisturbed_random_state
from trimtab.models._seed import layer_seed

__all__ = ["reinitialized"]


def reinitialized(model: keras.Model, seed: int = 0) -> keras.Model:
    """Copies a model and gives the copy fresh initial weights, so that it can be trained from the start.

    Each weight is drawn by its layer's own initialiser, with a seed made of `seed` and the layer's name: the
    same seed gives the same weights (on the same backend), whatever was drawn before. The statistics of
    batch normalisation start anew too; what a layer has adapted to the data (`Normalization`) stays. No
    global random state is touched, and the given model stays as it is.

    Args:
        model: a built model.
        seed: decides the weights.

    Returns:
        A model of the same architecture and names, with the same layers frozen, not compiled.

    Raises:
        ConfigError: the seed is not a whole number of at least 0.
        ModelError: the model is not built, or cannot be made from its config.

    Example:
        >>> control = reinitialized(pruned, seed=1)  # the pruned architecture, trained from scratch
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed must be a whole number of at least 0. Received: seed={seed!r}.")
    config = config_of(model)
    with undisturbed_random_state():
        # For weights whose initialiser the config does not show: Keras draws their seeds from here.
        random.seed(seed)
        drawn = remade(_seeded(config, seed, ()), model)
    copy = clone(model)
    adapted = {path for path, layer in placed_layers(copy) if hasattr(type(layer), "adapt")}
    for path, weight, fresh in weight_pairs(copy, drawn):
        if path not in adapted:
            weight.assign(fresh)
    return copy


def _seeded(entry: Any, seed: int, path: tuple[str, ...]) -> Any:
    """Copies a config with a seed of its own in each initialiser that draws."""
    if isinstance(entry, list | tuple):
        return [_seeded(value, seed, path) for value in entry]
    if not isinstance(entry, dict):
        return entry
    inner = entry.get("config")
    if "class_name" in entry and isinstance(inner, dict) and isinstance(inner.get("name"), str):
        path = (*path, inner["name"])
    return {
        key: _drawn_from(value, seed, path, key) if _draws(key, value) else _seeded(value, seed, path)
        for key, value in entry.items()
    }


def _draws(key: Any, value: Any) -> bool:
    """Says whether a setting is an initialiser that draws random numbers."""
    if not (isinstance(key, str) and key.endswith("initializer") and isinstance(value, dict)):
        return False
    return isinstance(value.get("config"), dict) and "seed" in value["config"]


def _drawn_from(value: dict[str, Any], seed: int, path: tuple[str, ...], key: str) -> dict[str, Any]:
    """Gives an initialiser its seed: the kernel that of the layer, others in the layer one beside it."""
    name = "/".join(path[1:] or path)  # the model's own name says nothing
    name = name if key == "kernel_initializer" else f"{name}/{key}"
    return {**value, "config": {**value["config"], "seed": layer_seed(seed, name)}}
