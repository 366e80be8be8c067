"""The arguments of a training, checked before anything is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trimtab.errors import ConfigError, nearest
from trimtab.training._trainable import checked_trainable

__all__ = ["OPTIMIZERS", "SCHEDULES", "Settings"]

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True)
class Settings:
    """What `train` was asked for; see there for what each argument means.

    Raises:
        ConfigError: an argument has a value that makes no sense.
    """

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str
    weight_decay: float
    label_smoothing: float
    patience: int | None
    restore_best: bool
    first_best_epoch: int
    augmentation: Any
    seed: int
    trainable: Any = "all"

    def __post_init__(self) -> None:
        _whole("epochs", self.epochs, 1, "how often to go through the training images")
        _whole("batch_size", self.batch_size, 1, "images in one step")
        _whole("first_best_epoch", self.first_best_epoch, 1, "the first epoch that may be the best")
        _whole("seed", self.seed, 0, "any whole number; the same one gives the same weights")
        if self.patience is not None:
            _whole("patience", self.patience, 1, "epochs to wait for a better one; None: never stop early")
        if self.first_best_epoch > self.epochs:
            raise ConfigError(
                f"first_best_epoch={self.first_best_epoch} comes after the last of epochs={self.epochs}: "
                "no epoch could be the best. Lower it, or train longer."
            )
        object.__setattr__(self, "trainable", checked_trainable(self.trainable))
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("schedule", self.schedule, SCHEDULES)
        _number("learning_rate", self.learning_rate, "a number above 0, such as 0.001")
        if self.learning_rate == 0:
            raise ConfigError("learning_rate=0 would change nothing; give a number above 0, such as 0.001.")
        _number("weight_decay", self.weight_decay, "0 (none) or a small number above it, such as 0.0001")
        _number("label_smoothing", self.label_smoothing, "at least 0 and below 1, such as 0.1")
        if self.label_smoothing >= 1:
            raise ConfigError(
                f"label_smoothing={self.label_smoothing!r} leaves nothing of the labels; "
                "give a number at least 0 and below 1, such as 0.1."
            )


def _whole(name: str, value: Any, least: int, meaning: str) -> None:
    """Refuses what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise ConfigError(f"{name}={value!r} must be a whole number of at least {least} ({meaning}).")


def _number(name: str, value: Any, meaning: str) -> None:
    """Refuses what is not a finite number of at least 0."""
    try:
        fits = not isinstance(value, bool | str) and math.isfinite(value) and value >= 0
    except TypeError:
        fits = False
    if not fits:
        raise ConfigError(f"{name}={value!r} must be {meaning}.")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuses what is not one of the known words."""
    if value not in known:
        hint = nearest(value, known) if isinstance(value, str) else ""
        raise ConfigError(f"{name}={value!r} is not known; it must be one of {', '.join(known)}.{hint}")
