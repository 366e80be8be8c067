"""The optimizers a training may use, with a learning rate that follows the steps."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.training._settings import Settings

__all__ = ["new_optimizer", "plain_optimizer"]

# Decay pulls kernels towards zero; biases and the scales of normalisation are left alone, as is usual.
_NOT_DECAYED = ["bias", "gamma", "beta"]


def new_optimizer(settings: Settings, steps: int) -> Any:
    """Returns the optimizer asked for.

    The cosine goes from the learning rate to zero over all steps (Loshchilov & Hutter 2016, SGDR,
    eq. 5, one period). It is a function of the optimizer's step count, so that it goes on
    rightly when the optimizer's state is saved and restored.

    Args:
        settings: the training's arguments.
        steps: steps in all epochs together.
    """
    rate: Any = float(settings.learning_rate)
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=steps)
    return _optimizer(settings, rate)


def plain_optimizer(settings: Settings) -> Any:
    """Returns a fresh optimizer of the same kind with a constant rate, to leave a model compiled with."""
    return _optimizer(settings, float(settings.learning_rate))


def _optimizer(settings: Settings, rate: Any) -> Any:
    """Returns the optimizer asked for at the given rate or schedule."""
    decay = float(settings.weight_decay)
    if settings.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    elif settings.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay or None)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay or None)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    return optimizer
