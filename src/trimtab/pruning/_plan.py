"""The schedule of a pruning: made from its name, from a function, or taken as it was given."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import keras

from trimtab.errors import ConfigError, nearest
from trimtab.pruning.schedules._schedule import ConstantSparsity, PolynomialSparsity, Schedule
from trimtab.pruning.schedules._stepwise import IterativeSparsity, OneShotSparsity, TabulatedSparsity

__all__ = ["first_best_epoch", "given_schedule", "hold_rate", "named_schedule", "steps_in_epoch"]

_KINDS = ("polynomial", "constant", "one-shot", "iterative")


def steps_in_epoch(images: int, epochs: Any, batch_size: Any) -> int:
    """Returns the batches in one epoch; raises `ConfigError` where they cannot be counted."""
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
            raise ConfigError(f"{name}={value!r} must be a whole number of at least 1.")
    return max(math.ceil(images / int(batch_size)), 1)


def given_schedule(
    schedule: str | Schedule | Callable[[int], float], frequency: int | None, epochs: int, steps: int
) -> Schedule | None:
    """Returns the schedule that was given as such or as a function; None for the name of one.

    Args:
        schedule: what was asked for.
        frequency: steps between two updates.
        epochs: epochs of the training; a function is followed to its end.
        steps: batches in one epoch.

    Raises:
        ConfigError: it is none of these, or has no use for `frequency`.
    """
    if isinstance(schedule, Schedule):
        if frequency is not None:
            raise ConfigError(
                f"frequency={frequency!r} is given beside {schedule!r}, which says itself when its masks "
                "change. Leave frequency out, or set it in the schedule."
            )
        return schedule
    if isinstance(schedule, str) and schedule in _KINDS:
        if frequency is not None and schedule in ("one-shot", "iterative"):
            raise ConfigError(
                f"frequency={frequency!r} has no use with schedule={schedule!r}, which has no updates in "
                "between. Leave frequency out."
            )
        return None
    if callable(schedule) and not isinstance(schedule, type):
        end = epochs * steps
        every = frequency if frequency is not None else _frequency(end)
        return TabulatedSparsity.from_function(schedule, begin=0, end=end, frequency=every)
    hint = nearest(schedule, _KINDS) if isinstance(schedule, str) else ""
    raise ConfigError(
        f"schedule={schedule!r} is not known; it must be one of {', '.join(_KINDS)}, a Schedule, or a "
        f"function from a step to a share of zeros.{hint}"
    )


def named_schedule(
    name: str,
    share: float,
    frequency: int | None,
    epochs: int,
    steps: int,
    *,
    rounds: int = 1,
    initial: float = 0.0,
) -> Schedule:
    """Returns the schedule of a name, which leaves time to fine-tune.

    Args:
        name: "polynomial", "constant", "one-shot" or "iterative".
        share: final share of zeros.
        frequency: steps between two updates; None: see `trimtab.prune`.
        epochs: epochs of the training (of one round).
        steps: batches in one epoch.
        rounds: rounds of iterative pruning.
        initial: share of zeros that is there already: a climb begins with it.

    Raises:
        ConfigError: a value makes no sense.
    """
    if name == "iterative":
        return IterativeSparsity(share, rounds, begin=1, every=epochs * steps)
    if name == "one-shot":
        return OneShotSparsity(share)
    whole = 2 * epochs // 3  # whole epochs, so that the best one is chosen among as many as can be
    end = whole * steps if whole else max(2 * steps // 3, 1)
    every = frequency if frequency is not None else _frequency(end)
    if name == "constant":
        return ConstantSparsity(share, begin=1, end=max(end, 2), frequency=every)
    begins = min(math.floor(initial * 1e4) / 1e4, share)  # a number to read; nobody needs its last digits
    return PolynomialSparsity(begins, share, begin=0, end=end, frequency=every)


def first_best_epoch(plan: Schedule, epochs: int, steps: int) -> int:
    """Returns the first epoch that ends at the final sparsity.

    Raises:
        ConfigError: none does.
    """
    if plan.reached_at > epochs * steps:
        raise ConfigError(
            f"The schedule reaches its sparsity at step {plan.reached_at}, but the training ends after "
            f"{epochs * steps} steps ({epochs} epochs of {steps}). Train longer, or end the schedule earlier."
        )
    return max(math.ceil(plan.reached_at / steps), 1)


def hold_rate(optimizer: Any, rate: float, hold: int, steps: int) -> None:
    """Lets the learning rate of an optimizer fall only once the sparsity is reached, in place.

    What the last updates of a climb remove has to be made up for at a rate that still moves something. With
    12,000 images of Fashion-MNIST and six epochs that was worth about four points of validation accuracy at
    90 % sparsity, and one at 70 %, over a rate that falls from the first step. A climb that leaves less than
    a quarter of the training goes with the usual fall.

    Args:
        optimizer: a Keras optimizer that is not built.
        rate: the learning rate of its first step.
        hold: steps before the one that reaches the final sparsity.
        steps: steps in the whole training.
    """
    if 0 < hold <= 3 * steps // 4:
        optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(
            rate, decay_steps=steps - hold, warmup_target=rate, warmup_steps=hold
        )


def _frequency(end: int) -> int:
    """Returns the steps between updates: about 32 updates, at most 100 steps apart."""
    return min(max(end // 32, 1), 100)
