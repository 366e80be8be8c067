"""Schedules that go by steps: once, in rounds, or as a table says.

The sparsities stand in a table that is made in Python, so that each of them, the last above all, is met
exactly, whatever a compiler does to a formula.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning.schedules._schedule import Schedule, check_count, check_share

__all__ = ["IterativeSparsity", "OneShotSparsity", "TabulatedSparsity", "share_after"]

_LONGEST = 100_000  # values of a table: more would make a saved optimizer larger than most models
_DIP = 1e-6  # a function may fall by its rounding errors


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class OneShotSparsity(Schedule):
    """Prunes once, to one sparsity, and lets the masks stay as they are from then on.

    Args:
        sparsity: share of zeros, in [0, 1).
        step: the step before whose forward pass the masks are chosen; 1: before training.

    Raises:
        ConfigError: a value makes no sense.

    Example:
        >>> OneShotSparsity(0.5, step=200).reached_at
        200
    """

    sparsity: float
    step: int = 1

    def __post_init__(self) -> None:
        check_share(self, "sparsity")
        check_count(self, "step", 1)

    def updates(self, step: Any) -> Any:
        """Tells whether `step` is the one step."""
        return ops.equal(step, self.step)

    def at(self, step: Any) -> Any:  # noqa: ARG002
        """Returns the one sparsity."""
        return ops.convert_to_tensor(self.sparsity, "float32")

    @property
    def target(self) -> float:
        """The one sparsity."""
        return self.sparsity

    @property
    def reached_at(self) -> int:
        """The one step."""
        return self.step


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class IterativeSparsity(Schedule):
    """Prunes in rounds, each of which removes the same share of the weights that are left.

    After round r the density is ``(1 - final)^(r / rounds)`` (Han et al. 2015; Frankle and Carbin 2019,
    where a fifth of the weights goes in each round); the last round reaches `final` exactly. Training goes
    on without a break; to rewind weights or the learning rate, use ``prune(schedule="iterative")``.

    Args:
        final: share of zeros after the last round, in [0, 1).
        rounds: how many rounds, 1 or more.
        begin: step of the first round, 0 or more (0 is before training, as 1 is).
        every: steps from one round to the next, 1 or more.

    Raises:
        ConfigError: a value makes no sense.

    Example:
        >>> [round(float(IterativeSparsity(0.75, 2, 1, 100).at(step)), 3) for step in (1, 101)]
        [0.5, 0.75]
    """

    final: float
    rounds: int
    begin: int
    every: int

    def __post_init__(self) -> None:
        check_share(self, "final")
        check_count(self, "rounds", 1, "rounds")
        check_count(self, "begin", 0)
        check_count(self, "every", 1)
        if self.rounds > _LONGEST:
            raise ConfigError(
                f"IterativeSparsity has at most {_LONGEST} rounds, but got rounds={self.rounds}."
            )

    def updates(self, step: Any) -> Any:
        """Tells whether a round begins at `step`."""
        return _due(step, self.begin, self.every, self.reached_at)

    def at(self, step: Any) -> Any:
        """Returns the sparsity of the round that `step` belongs to."""
        rounds = range(1, self.rounds + 1)
        return _taken(
            [share_after(number, self.rounds, self.final) for number in rounds],
            step, self.begin, self.every, self.reached_at,
        )  # fmt: skip

    @property
    def target(self) -> float:
        """The sparsity after the last round."""
        return self.final

    @property
    def reached_at(self) -> int:
        """The step of the last round."""
        return max(self.begin + (self.rounds - 1) * self.every, 1)


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True, repr=False)
class TabulatedSparsity(Schedule):
    """Follows a table: one sparsity for each update. Any function of the step can be made into one.

    Args:
        values: the share of zeros of each update, in [0, 1), never falling.
        begin: step of the first update, 0 or more (0 is before training, as 1 is).
        frequency: steps from one update to the next.
        end: step of the last update, where that comes sooner after the one before it; None: it does not.

    Raises:
        ConfigError: a value makes no sense.

    Example:
        >>> TabulatedSparsity([0.2, 0.5, 0.6], begin=1, frequency=50).reached_at
        101
    """

    values: tuple[float, ...]
    begin: int = 0
    frequency: int = 100
    end: int | None = None

    def __post_init__(self) -> None:
        check_count(self, "begin", 0)
        check_count(self, "frequency", 1)
        object.__setattr__(self, "values", _table(self.values, self.begin, self.frequency))
        regular = self.begin + (len(self.values) - 1) * self.frequency
        if self.end is None:
            object.__setattr__(self, "end", regular)
        check_count(self, "end")
        if not (max(regular - self.frequency, self.begin - 1) < self._end <= regular):
            raise ConfigError(
                f"TabulatedSparsity has {len(self.values)} values from step {self.begin} on, one in "
                f"{self.frequency} steps, so the last is due at step {regular}, but got end={self.end}. "
                "Leave end out, or give as many values as there are updates."
            )

    @classmethod
    def from_function(
        cls, function: Callable[[int], float], *, begin: int = 0, end: int, frequency: int = 100
    ) -> Self:
        """Tabulates a function of the step, so that the schedule is plain data: it saves without code.

        Args:
            function: takes a step (a Python integer), gives a share of zeros in [0, 1); it may not fall.
            begin: step of the first update, 0 or more.
            end: step of the last update, which is made whatever the frequency.
            frequency: steps between two updates.

        Raises:
            ConfigError: the function gives no share of zeros, or falls, or the steps make no sense.

        Example:
            >>> TabulatedSparsity.from_function(lambda step: 0.8 * step / 200, end=200).values
            (0.0, 0.4, 0.8)
        """
        given: tuple[tuple[str, Any, int], ...] = (
            ("begin", begin, 0), ("frequency", frequency, 1), ("end", end, begin),
        )  # fmt: skip
        for name, value, least in given:
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
                raise ConfigError(
                    f"TabulatedSparsity needs {name} as a whole number of {least} or more, but got {value!r}."
                )
        if (end - begin) // frequency >= _LONGEST:
            raise ConfigError(_too_long((end - begin) // frequency + 1))
        steps = [*range(int(begin), int(end), int(frequency)), int(end)]
        try:
            values = [function(step) for step in steps]
        except Exception as error:
            raise ConfigError(
                f"The schedule's function fails for a step between {steps[0]} and {steps[-1]}: "
                f"{type(error).__name__}: {error}. It takes a step and gives a share of zeros."
            ) from error
        return cls(tuple(values), begin=begin, frequency=frequency, end=end)

    def __repr__(self) -> str:
        values = [f"{value:.4g}" for value in self.values]
        if len(values) > 6:
            values = [*values[:3], "...", *values[-2:]]
        return (
            f"TabulatedSparsity([{', '.join(values)}], begin={self.begin}, frequency={self.frequency}, "
            f"end={self.end})"
        )

    def updates(self, step: Any) -> Any:
        """Tells whether the table has an update at `step`."""
        return _due(step, self.begin, self.frequency, max(self._end, 1))

    def at(self, step: Any) -> Any:
        """Returns the sparsity of the last update up to `step`."""
        return _taken(self.values, step, self.begin, self.frequency, self._end)

    @property
    def target(self) -> float:
        """The last sparsity."""
        return self.values[-1]

    @property
    def reached_at(self) -> int:
        """The step of the first update with the last sparsity."""
        first = self.values.index(self.values[-1])
        return max(min(self.begin + first * self.frequency, self._end), 1)

    def get_config(self) -> dict[str, Any]:
        """Returns the schedule as plain data."""
        return {**super().get_config(), "values": list(self.values)}

    @property
    def _end(self) -> int:
        """The step of the last update."""
        return self.begin if self.end is None else self.end


def share_after(number: int, rounds: int, final: float, initial: float = 0.0) -> float:
    """Returns the share of zeros after a round of pruning in rounds.

    Each round removes the same share of what is left: with ``q = number / rounds``, the density is
    ``(1 - initial)^(1 - q) * (1 - final)^q``. After the last round the share is exactly `final`.

    Args:
        number: the round, from 1.
        rounds: how many there are.
        final: share of zeros after the last.
        initial: share of zeros before the first, at most `final`.
    """
    if number >= rounds:
        return final
    progress = number / rounds
    share = 1 - float((1 - initial) ** (1 - progress) * (1 - final) ** progress)
    return min(max(share, initial), final)


def _due(step: Any, begin: int, frequency: int, end: int) -> Any:
    """Tells whether `step` is one of begin (at least 1), begin + frequency, ... below `end`, or `end`."""
    turn = ops.equal(ops.mod(ops.subtract(step, begin), frequency), 0)
    inside = ops.logical_and(ops.greater_equal(step, begin), ops.less(step, end))
    ends = ops.logical_or(ops.equal(step, max(begin, 1)), ops.equal(step, end))
    return ops.logical_or(ops.logical_and(turn, inside), ends)


def _taken(values: Sequence[float], step: Any, begin: int, frequency: int, end: int) -> Any:
    """Returns the value of the last update up to `step`, of float32."""
    turn = ops.floor_divide(ops.subtract(step, begin), frequency)
    last = len(values) - 1
    place = ops.where(ops.greater_equal(step, end), last, ops.clip(turn, 0, last))
    table = ops.convert_to_tensor(np.asarray(values, "float32"))
    return ops.take(table, ops.cast(place, "int32"), axis=0)


def _table(values: Any, begin: int, frequency: int) -> tuple[float, ...]:
    """Returns the sparsities as floats; raises `ConfigError` where one is none, or they fall."""
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray) or not len(values):
        raise ConfigError(
            f"TabulatedSparsity needs values: a list of shares of zeros, at least one, but got {values!r}."
        )
    if len(values) > _LONGEST:
        raise ConfigError(_too_long(len(values)))
    found: list[float] = []
    for index, value in enumerate(values):
        where = f"at step {begin + index * frequency}"
        share = _share(value)
        if share is None:
            raise ConfigError(
                f"TabulatedSparsity needs shares of zeros from 0 up to, not including, 1, but got {value!r} "
                f"{where}."
            )
        before = found[-1] if found else 0.0
        if share < before - _DIP:
            raise ConfigError(
                f"TabulatedSparsity may not fall, but goes from {before:g} to {share:g} {where}. "
                "Give values that rise or stay; what was removed is forgotten."
            )
        found.append(max(share, before))
    return tuple(found)


def _share(value: Any) -> float | None:
    """Returns a share of zeros as a float; None for what is none."""
    if isinstance(value, bool | str):
        return None
    try:
        share = float(value)
    except (TypeError, ValueError):
        return None
    return share if math.isfinite(share) and 0 <= share < 1 else None


def _too_long(count: int) -> str:
    """Says that a table is too long, and what to do."""
    return f"TabulatedSparsity has at most {_LONGEST} values, but got {count}. Give a larger frequency."
