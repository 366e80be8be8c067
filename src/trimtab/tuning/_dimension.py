"""What may vary in a search: one of several values, a whole number, or a number."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from trimtab._records import to_plain
from trimtab.errors import ConfigError, nearest

__all__ = ["Choice", "Dimension", "Integer", "Real", "dimension_from_data", "frozen"]

_WORDS = {
    "choice": ("choice", "default", "when"),
    "range": ("low", "high", "step", "log", "default", "when"),
}


@dataclass(frozen=True)
class Dimension(ABC):
    """One thing that may vary.

    Args:
        default: the value to begin with; None leaves it to the kind of dimension.
        when: names of other dimensions, each a `Choice`, with the values of theirs for which this one
            matters. Where any of them has another value, this one has none.
    """

    _: KW_ONLY
    default: Any = None
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    @abstractmethod
    def size(self) -> int | None:
        """How many values there are; None where nobody can count them."""

    @abstractmethod
    def contains(self, value: Any) -> bool:
        """Tells whether a value is one of those that this may have."""

    @abstractmethod
    def extremes(self) -> tuple[Any, ...]:
        """Returns values to try out beforehand: where these make sense, those between do."""

    @abstractmethod
    def values(self) -> Iterator[Any]:
        """Goes through all values; nothing where nobody can count them."""

    @abstractmethod
    def told(self) -> str:
        """Says in a few words what the values are."""

    @abstractmethod
    def to_data(self) -> dict[str, Any]:
        """Returns plain data, from which `dimension_from_data` makes an equal dimension."""

    def _settle(self, default: Any) -> None:
        """Fills in the default and makes `when` a plain mapping to tuples."""
        object.__setattr__(self, "default", default if self.default is None else frozen(self.default))
        if not self.contains(self.default):
            raise ConfigError(f"the default {self.default!r} is not in {self.told()}; choose one that is.")
        object.__setattr__(self, "when", _conditions(self.when))

    def _when_data(self) -> dict[str, Any]:
        return {"when": {name: to_plain(values) for name, values in self.when.items()}} if self.when else {}


@dataclass(frozen=True)
class Choice(Dimension):
    """One of several values: words, numbers, booleans, None, or tuples of these.

    Args:
        options: the values.
        default: the one to begin with; None: the first.
        when: see `Dimension`.

    Raises:
        ConfigError: there is no option, or one twice, or one that is no plain value.
    """

    options: Sequence[Any]

    def __post_init__(self) -> None:
        if not isinstance(self.options, list | tuple) or not self.options:
            raise ConfigError(
                f"a choice needs a list of values, such as [adam, sgd]. Received: {self.options!r}."
            )
        options = tuple(frozen(option) for option in self.options)
        for position, option in enumerate(options):
            if option in options[:position]:  # True is 1 here, as it is for who compares them later
                raise ConfigError(f"the choice {option!r} stands twice; keep one.")
        object.__setattr__(self, "options", options)
        self._settle(options[0])

    @property
    def size(self) -> int:
        """How many options there are."""
        return len(self.options)

    def contains(self, value: Any) -> bool:
        """Tells whether a value is one of the options."""
        return any(option == value and type(option) is type(value) for option in self.options)

    def extremes(self) -> tuple[Any, ...]:
        """Returns the options: nothing is known of what lies between them."""
        return tuple(self.options)

    def values(self) -> Iterator[Any]:
        """Goes through the options."""
        return iter(self.options)

    def told(self) -> str:
        """Lists the options."""
        return ", ".join(str(to_plain(option)) for option in self.options)

    def to_data(self) -> dict[str, Any]:
        """Returns ``{choice, default, when}``."""
        data = {"choice": to_plain(self.options), "default": to_plain(self.default)}
        return {**data, **self._when_data()}


@dataclass(frozen=True)
class Integer(Dimension):
    """A whole number from `low` to `high`, both included.

    Args:
        low: the smallest value.
        high: the largest.
        step: the distance from one value to the next.
        log: whether the same ratio counts the same everywhere: 8 to 16 as much as 64 to 128.
        default: the value to begin with; None: the middle.
        when: see `Dimension`.

    Raises:
        ConfigError: `low` is above `high`, the step does not lead from one to the other, or the scale has
            no room for them.
    """

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigError(f"{name} must be a whole number. Received: {name}={value!r}.")
        _check_range(self.low, self.high, self.log)
        if self.step < 1 or (self.high - self.low) % self.step:
            raise ConfigError(_step_hint(self.low, self.high, self.step))
        if self.log and self.step != 1:
            raise ConfigError("log and step do not go together; leave one of them out.")
        self._settle(self._middle())

    def _middle(self) -> int:
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return self.low + self.step * round((middle - self.low) / self.step)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return (self.high - self.low) // self.step + 1

    def contains(self, value: Any) -> bool:
        """Tells whether a value is one of the numbers."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and self.low <= value <= self.high and (value - self.low) % self.step == 0

    def extremes(self) -> tuple[int, ...]:
        """Returns both ends."""
        return (self.low, self.high)

    def values(self) -> Iterator[int]:
        """Goes through the numbers."""
        return iter(range(self.low, self.high + 1, self.step))

    def told(self) -> str:
        """Says where the range begins and ends."""
        return f"{self.low} to {self.high}" + (f" in steps of {self.step}" if self.step > 1 else "")

    def to_data(self) -> dict[str, Any]:
        """Returns ``{low, high, step, log, default, when}``."""
        names = ("low", "high", "step", "log", "default")
        return {**{name: getattr(self, name) for name in names}, **self._when_data()}


@dataclass(frozen=True)
class Real(Dimension):
    """A number from `low` to `high`.

    Args:
        low: the smallest value.
        high: the largest.
        log: whether the same ratio counts the same everywhere: 0.001 to 0.002 as much as 0.01 to 0.02.
        default: the value to begin with; None: the middle.
        when: see `Dimension`.

    Raises:
        ConfigError: `low` is above `high`, an end is no finite number, or the scale has no room for them.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high", "default"):
            value = getattr(self, name)
            if value is None and name == "default":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ConfigError(f"{name} must be a finite number. Received: {name}={value!r}.")
            object.__setattr__(self, name, float(value))
        _check_range(self.low, self.high, self.log)
        middle = math.sqrt(self.low) * math.sqrt(self.high) if self.log else self.low / 2 + self.high / 2
        self._settle(min(max(middle, self.low), self.high))

    @property
    def size(self) -> int | None:
        """One where both ends are the same; otherwise nobody can count them."""
        return 1 if self.low == self.high else None

    def contains(self, value: Any) -> bool:
        """Tells whether a number lies between the ends."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def extremes(self) -> tuple[float, ...]:
        """Returns both ends."""
        return (self.low, self.high)

    def values(self) -> Iterator[float]:
        """Gives the one value where both ends are the same."""
        return iter((self.low,) if self.size == 1 else ())

    def told(self) -> str:
        """Says where the range begins and ends."""
        return f"{self.low:g} to {self.high:g}"

    def to_data(self) -> dict[str, Any]:
        """Returns ``{low, high, log, default, when}``."""
        names = ("low", "high", "log", "default")
        return {**{name: getattr(self, name) for name in names}, **self._when_data()}


def dimension_from_data(data: Mapping[str, Any]) -> Dimension:
    """Reads ``{choice: [...]}``, ``{low: 1, high: 8, step: 1}`` or ``{low: 0.1, high: 1.0, log: true}``.

    A range is one of whole numbers where its ends are written as such.

    Raises:
        ConfigError: a key is unknown or missing, or a value makes no sense.
    """
    words = _WORDS["choice" if "choice" in data else "range"]
    for key in data:
        if key not in words:
            raise ConfigError(f"unknown key {key!r}.{nearest(str(key), words)} Known: {', '.join(words)}.")
    rest = {key: value for key, value in data.items() if key not in ("choice", "low", "high")}
    if "choice" in data:
        return Choice(data["choice"], **rest)
    for key in ("low", "high"):
        if key not in data:
            raise ConfigError(f"a range needs low and high; {key} is missing. Add it.")
    low, high = _number(data["low"]), _number(data["high"])
    rest = {key: _number(value) if key == "default" else value for key, value in rest.items()}
    if not isinstance(rest.get("log", False), bool):
        raise ConfigError(f"log must be true or false. Received: log={rest['log']!r}.")
    if all(isinstance(end, int) and not isinstance(end, bool) for end in (low, high)):
        return Integer(low, high, **rest)
    if "step" in rest:
        raise ConfigError("step is for whole numbers; leave it out, or write both ends without a point.")
    return Real(low, high, **rest)


def frozen(value: Any) -> Any:
    """Returns a plain value with tuples for lists, so that nobody changes it afterwards.

    Raises:
        ConfigError: it is no plain value.
    """
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ConfigError(f"{value!r} is no word, number, boolean, or list of these; write one that is.")


def _number(value: Any) -> Any:
    """Returns the number that YAML took for a word: in YAML, 1e-3 is none without a point."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _check_range(low: float, high: float, log: bool) -> None:
    """Refuses a range that holds nothing, or that no logarithm can be taken of."""
    if low > high:
        raise ConfigError(f"low={low!r} is above high={high!r}; turn them round.")
    if log and low <= 0:
        raise ConfigError(f"on a log scale, low must be above 0. Received: low={low!r}.")


def _step_hint(low: int, high: int, step: int) -> str:
    """Says how to mend a step that does not lead from one end to the other."""
    if step < 1:
        return f"a step must be at least 1. Received: step={step!r}."
    reached = low + (high - low) // step * step
    return f"steps of {step} lead from {low} to {reached}, not to {high}; write high={reached}, say."


def _conditions(when: Any) -> dict[str, tuple[Any, ...]]:
    """Returns conditions as names and tuples of values; one value stands for a list of one."""
    if not isinstance(when, Mapping):
        raise ConfigError(f"when maps names to values, such as {{optimizer: sgd}}. Received: {when!r}.")
    conditions = {}
    for name, values in when.items():
        listed = isinstance(values, list | tuple)
        conditions[str(name)] = frozen(values) if listed else (frozen(values),)
        if not conditions[str(name)]:
            raise ConfigError(f"when: {name} lists no value; add one, or leave the condition out.")
    return conditions
