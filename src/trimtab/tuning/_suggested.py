"""Dimensions in Optuna's terms: asking for a value, and what Optuna keeps for it."""

from __future__ import annotations

import json
from functools import singledispatch
from typing import Any

from trimtab._records import to_plain
from trimtab.errors import ConfigError
from trimtab.tuning._dimension import Choice, Dimension, Integer, Real

__all__ = ["inside", "outside", "suggested"]


@singledispatch
def suggested(dimension: Dimension, name: str, trial: Any) -> Any:  # noqa: ARG001
    """Asks a trial of Optuna's for the value of a dimension."""
    raise ConfigError(f"there is no way to ask for a {type(dimension).__name__}.")


@suggested.register
def _(dimension: Choice, name: str, trial: Any) -> Any:
    labels = [inside(dimension, option) for option in dimension.options]
    return outside(dimension, trial.suggest_categorical(name, labels))


@suggested.register
def _(dimension: Integer, name: str, trial: Any) -> Any:
    return trial.suggest_int(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)


@suggested.register
def _(dimension: Real, name: str, trial: Any) -> Any:
    return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


def inside(dimension: Dimension, value: Any) -> Any:
    """Returns a value as Optuna keeps it: of a choice its text, since Optuna takes no lists."""
    return json.dumps(to_plain(value)) if isinstance(dimension, Choice) else value


def outside(dimension: Dimension, value: Any) -> Any:
    """Returns the value that Optuna keeps as `value`."""
    if not isinstance(dimension, Choice):
        return value
    return next(option for option in dimension.options if inside(dimension, option) == value)
