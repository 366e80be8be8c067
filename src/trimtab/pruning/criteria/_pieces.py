"""An axis cut into pieces of one length, of which the last may be short."""

from __future__ import annotations

import numbers
from typing import Any

import keras
from keras import ops

from trimtab.errors import ConfigError

__all__ = ["check_count", "dtype_of", "in_groups", "leading", "lengths"]


def in_groups(tensor: Any, place: int, length: int) -> Any:
    """Splits one axis into (groups, length), zeros filling up the last group."""
    shape = tuple(tensor.shape)
    missing = -shape[place] % length
    if missing:
        tensor = ops.pad(tensor, [(0, missing if i == place else 0) for i in range(len(shape))])
    return ops.reshape(
        tensor, (*shape[:place], (shape[place] + missing) // length, length, *shape[place + 1 :])
    )


def leading(tensor: Any, place: int, size: int) -> Any:
    """Returns the first `size` entries along one axis."""
    if tensor.shape[place] == size:
        return tensor
    return tensor[(slice(None),) * place + (slice(size),)]


def dtype_of(tensor: Any) -> str:
    """Returns the name of a tensor's dtype."""
    return str(keras.backend.standardize_dtype(tensor.dtype))


def lengths(size: int, length: int) -> list[tuple[int, int]]:
    """Returns (length of a piece, how many there are) of an axis that is cut into pieces."""
    pieces = [(length, size // length), (size % length, 1)]
    return [(piece, count) for piece, count in pieces if piece and count]


def check_count(part: Any, name: str) -> None:
    """Raises `ConfigError` unless the field is a whole number of 1 or more."""
    value = getattr(part, name)
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ConfigError(
            f"{type(part).__name__} needs {name} as a whole number of 1 or more, but got {name}={value!r}."
        )
    object.__setattr__(part, name, int(value))
