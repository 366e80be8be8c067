"""When masks are chosen anew, and how many weights they remove: the sparsity schedule.

Steps are training batches, counted from 1. An update that is due at step `t` acts before the forward
pass of batch `t`. The rules are those of TensorFlow Model Optimization (`pruning_schedule.py`, release
0.8), after Zhu and Gupta, "To prune, or not to prune" (2017), equation 1, in float32. One rule is
better here: there, the final sparsity is missed where ``(end - begin) % frequency != 0``; here a last
update is always made at `end`.
"""

from __future__ import annotations

import abc
import dataclasses
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning._configured import Configured
from trimtab.pruning._fraction import is_number
from trimtab.pruning.criteria._mask import magnitude_masks, nonzero_masks

__all__ = ["ConstantSparsity", "KeepZeros", "PolynomialSparsity", "Schedule", "check_count", "check_share"]

Chooser = Callable[[Sequence[Any], Any], list[Any]]


@dataclasses.dataclass(frozen=True)
class Schedule(Configured, abc.ABC):
    """What a pruning run follows: at which steps the masks are chosen anew, and for which sparsity.

    A schedule is data. Its methods are made of `keras.ops`, so that one code gives the sparsity for a
    Python integer and for a step counter inside a compiled training step.
    """

    @abc.abstractmethod
    def updates(self, step: Any) -> Any:
        """Tells whether the masks are chosen anew before the forward pass of `step` (counted from 1)."""

    @abc.abstractmethod
    def at(self, step: Any) -> Any:
        """Returns the share of zeros that an update at `step` makes: a float32 scalar in [0, 1)."""

    @property
    @abc.abstractmethod
    def target(self) -> float | None:
        """The sparsity that the schedule ends with; None where it asks for none of its own."""

    @property
    @abc.abstractmethod
    def reached_at(self) -> int:
        """The first step whose forward pass sees the final sparsity."""

    def masks(self, weights: Sequence[Any], step: Any, choose: Chooser = magnitude_masks) -> list[Any]:
        """Chooses the masks for `weights` at `step`.

        Args:
            weights: weight tensors.
            step: training batch, counted from 1; an integer or a scalar integer tensor.
            choose: takes the weights and a sparsity, gives one mask of 0 and 1 for each weight.

        Returns:
            One mask for each weight, of its shape and dtype.
        """
        return choose(weights, self.at(step))


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class ConstantSparsity(Schedule):
    """Prunes to one sparsity, choosing the masks anew every `frequency` steps.

    Args:
        sparsity: share of zeros, in [0, 1).
        begin: step that the updates are counted from; 0 or more. With 0, the first is at `frequency`.
        end: last step with an update, the masks stay as they are from then on; -1: never.
        frequency: steps between two updates.

    Raises:
        ConfigError: a value makes no sense.
    """

    sparsity: float
    begin: int = 0
    end: int = -1
    frequency: int = 100

    def __post_init__(self) -> None:
        check_share(self, "sparsity")
        _check_steps(self, endless=True)

    def updates(self, step: Any) -> Any:
        """Tells whether the masks are chosen anew before the forward pass of `step`."""
        return _due(step, self.begin, self.end, self.frequency)

    def at(self, step: Any) -> Any:  # noqa: ARG002
        """Returns the one sparsity."""
        return ops.convert_to_tensor(self.sparsity, "float32")

    @property
    def target(self) -> float:
        """The one sparsity."""
        return self.sparsity

    @property
    def reached_at(self) -> int:
        """The step of the first update."""
        first = self.begin if self.begin >= 1 else self.frequency
        return first if self.end < 0 else min(first, self.end)


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class PolynomialSparsity(Schedule):
    """Raises the sparsity from `initial` to `final`, quickly at first and slowly at the end.

    With ``p = (step - begin) / (end - begin)`` clipped to [0, 1], the sparsity is
    ``(initial - final) * (1 - p)^power + final`` (Zhu and Gupta 2017, equation 1, has power 3).

    Args:
        initial: share of zeros at `begin`, in [0, 1).
        final: share of zeros from `end` on, in [0, 1), not below `initial`.
        begin: first step of the climb; 0 or more.
        end: step with the last update, after `begin`.
        power: exponent, above 0.
        frequency: steps between two updates, counted from `begin`.

    Raises:
        ConfigError: a value makes no sense.
    """

    initial: float
    final: float
    begin: int
    end: int
    power: float = 3
    frequency: int = 100

    def __post_init__(self) -> None:
        check_share(self, "initial")
        check_share(self, "final")
        _check_steps(self, endless=False)
        if self.initial > self.final:
            raise ConfigError(
                f"PolynomialSparsity climbs, but initial={self.initial!r} is above final={self.final!r}. "
                "Give an initial sparsity that is at most the final one."
            )
        if not is_number(self.power) or not 0 < self.power < float("inf"):
            raise ConfigError(
                f"PolynomialSparsity needs a power above 0, such as 3, but got power={self.power!r}."
            )

    def updates(self, step: Any) -> Any:
        """Tells whether the masks are chosen anew before the forward pass of `step`."""
        return _due(step, self.begin, self.end, self.frequency)

    def at(self, step: Any) -> Any:
        """Returns the sparsity of an update at `step`."""
        passed = ops.cast(ops.subtract(step, self.begin), "float32")
        progress = ops.clip(ops.divide(passed, float(self.end - self.begin)), 0.0, 1.0)
        left = ops.power(ops.subtract(1.0, progress), float(self.power))
        sparsity = ops.add(ops.multiply(self.initial - self.final, left), self.final)
        # The bounds also keep TensorFlow from merging the sum with the "1 - sparsity" that follows, which
        # would round differently in a compiled step and keep one weight more or less.
        return ops.clip(sparsity, self.initial, self.final)

    @property
    def target(self) -> float:
        """The final sparsity."""
        return self.final

    @property
    def reached_at(self) -> int:
        """The step with the last update."""
        return self.end


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class KeepZeros(Schedule):
    """Keeps the weights at zero that are zero when training begins, and removes no others.

    For fine-tuning a model that was pruned before: a plain optimizer would let most zeros grow again.
    """

    def updates(self, step: Any) -> Any:
        """Tells whether `step` is the first: the masks are chosen once."""
        return ops.equal(step, 1)

    def at(self, step: Any) -> Any:  # noqa: ARG002
        """Returns 0: nothing is removed beyond the zeros that are there."""
        return ops.convert_to_tensor(0.0, "float32")

    @property
    def target(self) -> None:
        """None: the zeros that are there decide."""
        return

    @property
    def reached_at(self) -> int:
        """The first step."""
        return 1

    def masks(self, weights: Sequence[Any], step: Any, choose: Chooser = magnitude_masks) -> list[Any]:  # noqa: ARG002
        """Chooses the masks that keep each weight which is not zero."""
        return nonzero_masks(weights)


def _due(step: Any, begin: int, end: int, frequency: int) -> Any:
    """Tells whether `step` is one of begin, begin + frequency, ... up to `end`, or `end` itself."""
    turn = ops.equal(ops.mod(ops.subtract(step, begin), frequency), 0)
    due = ops.logical_and(turn, ops.greater_equal(step, begin))
    if end < 0:
        return due
    return ops.logical_or(ops.logical_and(due, ops.less_equal(step, end)), ops.equal(step, end))


def check_share(schedule: Schedule, name: str) -> None:
    """Raises `ConfigError` unless the field is a share of zeros: in [0, 1), since 1 leaves no network."""
    value = getattr(schedule, name)
    if not is_number(value) or not 0 <= value < 1:
        raise ConfigError(
            f"{type(schedule).__name__} needs {name} from 0 up to, not including, 1 (0.8: four of five "
            f"weights become zero), but got {name}={value!r}."
        )
    object.__setattr__(schedule, name, float(value))


def check_count(
    schedule: Schedule, name: str, least: int | None = None, unit: str = "training batches"
) -> None:
    """Raises `ConfigError` unless the field is a whole number, of at least `least`."""
    value, kind = getattr(schedule, name), type(schedule).__name__
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ConfigError(f"{kind} counts {name} in {unit}, a whole number, but got {value!r}.")
    object.__setattr__(schedule, name, int(value))
    if least is not None and value < least:
        raise ConfigError(f"{kind} needs {name} of {least} or more, but got {name}={value}.")


def _check_steps(schedule: ConstantSparsity | PolynomialSparsity, *, endless: bool) -> None:
    """Raises `ConfigError` unless begin, end and frequency are steps that make sense together."""
    for name, least in (("begin", 0), ("end", None), ("frequency", 1)):
        check_count(schedule, name, least)
    begin, end = schedule.begin, schedule.end
    if endless and end == -1:
        return
    if end <= begin:
        forever = " (or end=-1: for ever)" if endless else ""
        raise ConfigError(
            f"{type(schedule).__name__} needs end after begin{forever}, but got begin={begin}, end={end}."
        )
