"""Checks of what an architecture is asked for, each with what came, what was needed and what to do."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from trimtab.errors import ConfigError, nearest

__all__ = [
    "check_choice",
    "check_classes",
    "check_factor",
    "check_image_shape",
    "check_rate",
    "check_whole",
    "check_wholes",
]


def check_image_shape(image_shape: Any) -> tuple[int, int, int]:
    """Returns (height, width, channels), or says why `image_shape` is not that."""
    wanted = "image_shape must be (height, width, channels), such as (28, 28, 1)"
    if isinstance(image_shape, str) or not isinstance(image_shape, Sequence) or len(image_shape) != 3:
        raise ConfigError(f"{wanted}. Received: image_shape={image_shape!r}.")
    height, width, channels = (check_whole("image_shape", size, 1, note=wanted) for size in image_shape)
    return height, width, channels


def check_classes(classes: int) -> int:
    """Returns the number of classes, or says that a classifier needs at least two."""
    return check_whole("classes", classes, 2, note="a classifier tells at least two classes apart")


def check_whole(name: str, value: Any, least: int, *, note: str = "") -> int:
    """Returns `value` as an int of at least `least`; numbers such as 1.5, True and "3" are refused."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise ConfigError(
            f"{name} must be a whole number of at least {least}"
            + (f" ({note})" if note else "")
            + f". Received: {name}={value!r}."
        )
    return number


def check_wholes(name: str, values: Any, least: int) -> tuple[int, ...]:
    """Returns `values` as ints of at least `least`: one or more of them."""
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise ConfigError(
            f"{name} must list one whole number per stage, such as (32, 64). Received: {name}={values!r}."
        )
    return tuple(check_whole(f"{name}[{index}]", value, least) for index, value in enumerate(values))


def check_rate(name: str, value: Any) -> float:
    """Returns a dropout rate as a float, at least 0 and below 1."""
    try:
        rate = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 <= rate < 1:
        raise ConfigError(
            f"{name} must be at least 0 (off) and below 1: the share of units to drop. "
            f"Received: {name}={value!r}."
        )
    return rate


def check_factor(name: str, value: Any) -> float:
    """Returns a factor for a network's width or depth as a float: a number above 0."""
    try:
        factor = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        factor = math.nan
    if not 0 < factor < math.inf:
        raise ConfigError(f"{name} must be a number above 0, such as 0.5 or 1.0. Received: {name}={value!r}.")
    return factor


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """Returns `value` where it is one of `choices`, or says which there are."""
    for choice in choices:
        if choice == value and type(choice) is type(value):
            return choice
    listed = ", ".join(repr(choice) for choice in choices)
    words = [choice for choice in choices if isinstance(choice, str)]
    meant = nearest(value, words) if isinstance(value, str) else ""
    raise ConfigError(f"{name} must be one of {listed}. Received: {name}={value!r}.{meant}")
