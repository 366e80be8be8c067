"""Copies of models that share nothing with the original."""

from __future__ import annotations

import contextlib
import types
import warnings
from collections.abc import Iterator
from typing import Any

import keras

from trimtab import _keras_internals
from trimtab.errors import ModelError
from trimtab.models._random_state import undisturbed_random_state
from trimtab.models._sharing import with_sharing_told

__all__ = [
    "clone",
    "config_of",
    "copied_layer",
    "copy_trainability",
    "custom_objects",
    "rebuild",
    "remade",
    "remaking",
    "settle",
]


def clone(model: keras.Model) -> keras.Model:
    """Copies a model: same architecture, names and weights, nothing shared with the original.

    Functional, Sequential and nested models and shared layers are copied as they are; a subclassed model or
    a custom layer through its `get_config`. The copy is not compiled.

    Raises:
        ModelError: the model is not built, or cannot be made from its config.
    """
    return rebuild(config_of(model), model)


def config_of(model: keras.Model) -> dict[str, Any]:
    """Returns the model's config as plain data, without compile state.

    Raises:
        ModelError: the model, or a layer in it, has no config.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return with_sharing_told(_keras_internals.serialized(model))
    except Exception as error:
        raise ModelError(
            f"The model {model.name!r} cannot be described as data ({_first_line(error)}). "
            "Give its class, and each custom layer, a get_config method."
        ) from error


def rebuild(config: dict[str, Any], original: keras.Model) -> keras.Model:
    """Makes a model from a config (that of `original`, perhaps edited), with the original's weights.

    Raises:
        ModelError: the original is not built, or the config does not make a model with the same weights.
    """
    copy = remade(config, original)
    try:
        copy.set_weights(original.get_weights())
        settle(copy)
    except Exception as error:
        raise _not_copied(original, error) from error
    return copy


def remade(config: dict[str, Any], original: keras.Model) -> keras.Model:
    """Makes a model from a config (that of `original`, perhaps edited), with weights drawn anew.

    What is frozen in the original is frozen in it too.

    Raises:
        ModelError: the original is not built, or the config does not make a model.
    """
    if not original.built:
        raise ModelError(
            f"The model {original.name!r} has no weights yet: call it on one batch of images first, "
            "or give it an Input layer."
        )
    try:
        with warnings.catch_warnings(), undisturbed_random_state():
            warnings.simplefilter("ignore")
            copy: keras.Model = _keras_internals.deserialized(config, custom_objects(original))
            copy_trainability(original, copy)
    except Exception as error:
        raise _not_copied(original, error) from error
    return copy


@contextlib.contextmanager
def remaking(model: keras.Model) -> Iterator[None]:
    """Lets the layers of a model be made from their configs in the block, by `copied_layer` or `from_config`.

    None of their classes and functions need be registered, and Python's random numbers stay as they are.
    """
    own = keras.saving.CustomObjectScope(custom_objects(model))
    with warnings.catch_warnings(), undisturbed_random_state(), own:
        warnings.simplefilter("ignore")  # such as that a Lambda layer is written as data
        yield


def copied_layer(layer: Any) -> Any:
    """Copies a layer through its config, its weights drawn anew; to be called while `remaking` its model."""
    return _keras_internals.deserialized(_keras_internals.serialized(layer), {})


def settle(model: keras.Model) -> None:
    """Lets layers that adapt to data see the statistics that were put into them: they compute with copies."""
    for layer in _keras_internals.all_layers(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def _not_copied(original: keras.Model, error: Exception) -> ModelError:
    """Says why a model cannot be made from its config."""
    return ModelError(
        f"The model {original.name!r} cannot be copied through its config ({_first_line(error)}). "
        "Register custom functions with @keras.saving.register_keras_serializable(), and let "
        "get_config return every argument of __init__."
    )


def copy_trainability(original: Any, copy: Any) -> None:
    """Freezes in the copy what is frozen in the original: the config of a Sequential model does not tell."""
    if copy.trainable != original.trainable:
        copy.trainable = original.trainable  # spreads to the layers inside, which come next
    twins = {layer.name: layer for layer in getattr(copy, "layers", ())}
    for layer in getattr(original, "layers", ()):
        if layer.name in twins:
            copy_trainability(layer, twins[layer.name])


def custom_objects(model: keras.Model) -> dict[str, Any]:
    """Names the model's classes and functions that are not Keras' own, so that none need be registered."""
    found: dict[str, Any] = {}
    for layer in _keras_internals.all_layers(model):
        for part in (layer, *vars(layer).values()):
            kind = part if isinstance(part, types.FunctionType) else type(part)
            if kind.__module__.split(".")[0] in ("keras", "builtins"):
                continue
            if isinstance(part, types.FunctionType) or hasattr(kind, "from_config"):
                found[kind.__name__] = kind
    return found


def _first_line(error: Exception) -> str:
    """Returns what went wrong in at most one line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".:")[:200]
