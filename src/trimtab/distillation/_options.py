"""The arguments of a distillation beside those of a training, checked before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.errors import ConfigError, nearest

__all__ = ["CACHES", "Options"]

CACHES = ("auto", "logits", "views", "off")


@dataclass(frozen=True)
class Options:
    """What `distill` was asked for beside the training; see there for what each argument means.

    Raises:
        ConfigError: an argument has a value that makes no sense, or contradicts another.
    """

    temperature: float
    alpha: float
    features: Any
    feature_weight: float
    attention: Any
    attention_weight: float
    cache: str
    views: int
    augmented: bool

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        _number("alpha", self.alpha, 0, 1, "the share of the labels in the loss, from 0 to 1, such as 0.1")
        for name in ("feature_weight", "attention_weight"):
            _number(name, getattr(self, name), 0, math.inf, "a number of 0 or more")
        for name in ("features", "attention"):
            object.__setattr__(self, name, _pairs(name, getattr(self, name)))
        if self.cache not in CACHES:
            hint = nearest(self.cache, CACHES) if isinstance(self.cache, str) else ""
            raise ConfigError(
                f"cache={self.cache!r} is not known; it must be one of {', '.join(CACHES)}.{hint}"
            )
        if isinstance(self.views, bool) or not hasattr(self.views, "__index__") or self.views < 1:
            raise ConfigError(
                f"views={self.views!r} must be a whole number of at least 1: augmented versions of an image."
            )
        if self.cache == "logits" and self.augmented:
            raise ConfigError(
                "cache='logits' keeps the teacher's answer to each image as it is, but augmentation shows "
                "the student others. Use cache='views', or cache='off' to ask the teacher at each step."
            )

    def told(self) -> dict[str, Any]:
        """Returns what makes a distillation this one, as plain data."""
        return {
            "temperature": float(self.temperature),
            "alpha": float(self.alpha),
            "features": [list(pair) for pair in self.features],
            "feature weight": float(self.feature_weight),
            "attention": [list(pair) for pair in self.attention],
            "attention weight": float(self.attention_weight),
        }


def check_temperature(temperature: Any) -> None:
    """Raises `ConfigError` unless it is a finite number above 0."""
    _number("temperature", temperature, 0, math.inf, "a number above 0, such as 4")
    if temperature == 0:
        raise ConfigError("temperature=0 would leave one class of the teacher's answer; give one above 0.")


def _number(name: str, value: Any, least: float, most: float, meaning: str) -> None:
    """Refuses what is not a finite number between two others."""
    try:
        fits = not isinstance(value, bool | str) and math.isfinite(value) and least <= value <= most
    except TypeError:
        fits = False
    if not fits:
        raise ConfigError(f"{name}={value!r} must be {meaning}.")


def _pairs(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    """Returns pairs of names; refuses everything else."""
    wanted = "pairs of layer names, (the student's, the teacher's), such as [('block_2', 'block_5')]"
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"{name}={value!r} must be a list of {wanted}.")
    for pair in value:
        named = isinstance(pair, Sequence) and not isinstance(pair, str)
        if not named or len(pair) != 2 or not all(isinstance(layer, str) and layer for layer in pair):
            raise ConfigError(f"{name} holds {pair!r}, but needs {wanted}.")
    return tuple((str(mine), str(its)) for mine, its in value)
