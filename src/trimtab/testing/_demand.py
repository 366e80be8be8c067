"""What all checks ask for: a claim that holds, plain frozen data, and the same result in a compiled step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from trimtab.errors import ConfigError

__all__ = ["compiled", "demand", "demand_data", "demand_is", "values"]


def demand(claim: Any, otherwise: str) -> None:
    """Raises `AssertionError` with the sentence `otherwise` unless the claim holds."""
    if not claim:
        raise AssertionError(otherwise)


def demand_is(part: Any, kind: type) -> None:
    """Raises `AssertionError` unless `part` is a frozen dataclass of this kind."""
    name = type(part).__name__
    demand(isinstance(part, kind), f"{name} is no {kind.__name__}: let its class inherit from it.")
    settings = getattr(type(part), "__dataclass_params__", None)
    own = "__dataclass_params__" in vars(type(part))
    demand(
        own and settings is not None and settings.frozen,
        f"{name} can be changed after it was made: put @dataclasses.dataclass(frozen=True) on its class.",
    )


def demand_data(part: Any, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Raises `AssertionError` unless Keras saves and loads `part`, and typing errors are refused."""
    name = type(part).__name__
    demand(part == dataclasses.replace(part), f"{name} does not equal a copy of itself.")
    try:
        saved = keras.saving.serialize_keras_object(part)
        loaded = keras.saving.deserialize_keras_object(saved, custom_objects=dict(custom_objects or {}))
    except Exception as error:
        raise AssertionError(
            f"{name} cannot be saved and loaded by Keras ({error}). Put "
            "@keras.saving.register_keras_serializable() on its class, and keep its config plain data."
        ) from error
    demand(loaded == part, f"{name} changes when it is saved and loaded: {part!r} came back as {loaded!r}.")
    try:
        type(part).from_config({**part.get_config(), "no_such_setting": 1})
    except ConfigError:
        return
    except Exception as error:
        raise AssertionError(f"{name}.from_config refuses an unknown setting by {error!r}.") from error
    raise AssertionError(f"{name}.from_config takes an unknown setting without a word: raise ConfigError.")


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function as a training step is compiled on this backend; torch runs it as it is."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.function(function, autograph=False)  # type: ignore[no-any-return]
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)  # type: ignore[no-any-return]
    return function


def values(tensor: Any) -> np.ndarray:
    """Returns a tensor as a NumPy array, narrow floats as float32 (NumPy has no bfloat16)."""
    array = ops.convert_to_tensor(tensor)
    if keras.backend.standardize_dtype(array.dtype) in ("float16", "bfloat16"):
        array = ops.cast(array, "float32")
    return np.asarray(ops.convert_to_numpy(array))
