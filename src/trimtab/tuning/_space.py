"""A search space: what may vary, and what is the same in every trial."""

from __future__ import annotations

import graphlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from trimtab._records import to_plain
from trimtab.errors import ConfigError, nearest
from trimtab.tuning._dimension import Choice, Dimension, Real, dimension_from_data, frozen

__all__ = ["Space", "setting_key"]


@dataclass(frozen=True)
class Space:
    """Named dimensions, and named values that are the same in every trial.

    A setting is a mapping from names to values: all fixed ones, and one value for each dimension that
    matters in it (see `when` of `Dimension`).

    Example::

        Space({"learning_rate": Real(1e-4, 1e-2, log=True), "optimizer": Choice(("adam", "sgd"))})

    Args:
        dimensions: what may vary, by name.
        fixed: what does not, by name.

    Raises:
        ConfigError: there is nothing to choose, a name is fixed and varies, or a condition names what is no
            choice of this space, a value that it does not have, or runs in a circle.
    """

    dimensions: Mapping[str, Dimension]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.fixed:
            if name in self.dimensions:
                raise ConfigError(f"{name} is fixed and varies; leave one of the two out.")
        for name, dimension in self.dimensions.items():
            self._check_conditions(name, dimension)
        order = _ordered(self.dimensions)
        object.__setattr__(self, "dimensions", MappingProxyType(order))
        fixed = {name: frozen(value) for name, value in self.fixed.items()}
        object.__setattr__(self, "fixed", MappingProxyType(fixed))
        if self.size == 1:
            raise ConfigError(
                "the space has nothing to choose: let something vary, such as "
                "learning_rate: {low: 0.0001, high: 0.01, log: true}."
            )

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """Reads a space from plain data, as YAML gives it.

        Names may be nested or have dots in them: ``{"model": {"dropout": ...}}`` is ``{"model.dropout":
        ...}``. A mapping with `choice`, or with `low` and `high`, is a dimension; anything else is fixed.

        Raises:
            ConfigError: what is wrong, after the name that it is wrong with; one line.
        """
        if not isinstance(data, Mapping):
            raise ConfigError(
                "a space maps names to what they may be, such as batch_size: {choice: [32, 64]}. "
                f"Received: {data!r}."
            )
        dimensions: dict[str, Dimension] = {}
        fixed: dict[str, Any] = {}
        for name, value in _flat(data):
            if name in dimensions or name in fixed:
                raise ConfigError(f"{name} stands twice; keep one.")
            try:
                if isinstance(value, Mapping):
                    dimensions[name] = dimension_from_data(value)
                else:
                    fixed[name] = frozen(value)
            except ConfigError as error:
                raise ConfigError(f"{name}: {error}") from None
        return cls(dimensions, fixed)

    def to_data(self) -> dict[str, Any]:
        """Returns plain data, from which `from_data` makes an equal space."""
        varied = {name: dimension.to_data() for name, dimension in self.dimensions.items()}
        return {**to_plain(self.fixed), **varied}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, fixed or not."""
        return (*self.fixed, *self.dimensions)

    @property
    def size(self) -> int | None:
        """How many different settings there are; None where nobody can count them."""
        counted = self._count(0, {})
        return None if math.isinf(counted) else int(counted)

    def defaults(self) -> dict[str, Any]:
        """Returns the setting that a search begins with."""
        return self.setting(lambda _, dimension: dimension.default)

    def setting(self, choose: Callable[[str, Dimension], Any]) -> dict[str, Any]:
        """Puts a setting together.

        Args:
            choose: gives the value of one dimension; called for those that matter, each after those that its
                own conditions name.
        """
        values = dict(self.fixed)
        for name, dimension in self.dimensions.items():
            if self._matters(dimension, values):
                values[name] = choose(name, dimension)
        return values

    def settings(self) -> Iterator[dict[str, Any]]:
        """Goes through all settings, where they can be counted; without end or order in mind otherwise."""
        yield from self._settings(0, dict(self.fixed))

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a setting of this space, with what is fixed filled in.

        Raises:
            ConfigError: a name is unknown or missing, or a value is not in its dimension.
        """
        for name, value in values.items():
            if name not in self.names:
                raise ConfigError(f"the space has no {name!r}.{nearest(name, self.names)}")
            if name in self.fixed and frozen(value) != self.fixed[name]:
                raise ConfigError(f"{name} is always {self.fixed[name]!r} here. Received: {value!r}.")

        def given(name: str, dimension: Dimension) -> Any:
            if name not in values:
                raise ConfigError(f"a value for {name} is missing; it may be {dimension.told()}.")
            if not dimension.contains(value := frozen(values[name])):
                raise ConfigError(f"{name} may be {dimension.told()}. Received: {value!r}.")
            return float(value) if isinstance(dimension, Real) else value

        setting = self.setting(given)
        for name in values:
            if name not in setting:
                raise ConfigError(
                    f"{name} has no value here ({_told(self.dimensions[name].when)} is not so)."
                )
        return setting

    def _matters(self, dimension: Dimension, values: Mapping[str, Any]) -> bool:
        """Tells whether a dimension has a value, given those before it."""
        return all(name in values and values[name] in wanted for name, wanted in dimension.when.items())

    def _settings(self, position: int, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if position == len(self.dimensions):
            yield dict(values)
            return
        name, dimension = list(self.dimensions.items())[position]
        if not self._matters(dimension, values):
            yield from self._settings(position + 1, values)
            return
        for value in dimension.values():
            yield from self._settings(position + 1, {**values, name: value})

    def _count(self, position: int, values: dict[str, Any]) -> float:
        """Counts the settings from one dimension on; infinity where nobody can."""
        if position == len(self.dimensions):
            return 1
        name, dimension = list(self.dimensions.items())[position]
        known = {**self.fixed, **values}
        if not self._matters(dimension, known):
            return self._count(position + 1, values)
        if any(name in other.when for other in self.dimensions.values()):
            return sum(self._count(position + 1, {**values, name: value}) for value in dimension.values())
        size = math.inf if dimension.size is None else dimension.size
        return size * self._count(position + 1, values)

    def _check_conditions(self, name: str, dimension: Dimension) -> None:
        """Refuses conditions that nothing can meet."""
        for other, wanted in dimension.when.items():
            if other in self.fixed:
                continue
            if not isinstance(self.dimensions.get(other), Choice):
                known = [each for each, kind in self.dimensions.items() if isinstance(kind, Choice)]
                raise ConfigError(
                    f"{name}: when names {other!r}, which is no choice of this space.{nearest(other, known)}"
                )
            for value in wanted:
                if not self.dimensions[other].contains(value):
                    raise ConfigError(
                        f"{name}: when waits for {other} to be {value!r}, but it may be "
                        f"{self.dimensions[other].told()}."
                    )


def setting_key(values: Mapping[str, Any]) -> str:
    """Returns one text for equal settings, whatever the order of their names."""
    return json.dumps(to_plain(values), sort_keys=True)


def _ordered(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Returns the dimensions with each after those that its conditions name; otherwise as they were."""
    graph = {
        name: [other for other in dimension.when if other in dimensions]
        for name, dimension in dimensions.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = " and ".join(dict.fromkeys(error.args[1]))
        raise ConfigError(f"the conditions of {circle} wait for each other; leave one out.") from None
    ordered: dict[str, Dimension] = {}
    while len(ordered) < len(dimensions):
        for name, dimension in dimensions.items():
            if name not in ordered and all(other in ordered for other in graph[name]):
                ordered[name] = dimension
    return ordered


def _flat(data: Mapping[Any, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Goes through nested mappings, names joined with dots; dimensions stay mappings."""
    for key, value in data.items():
        name = f"{before}{key}"
        nested = isinstance(value, Mapping) and not {"choice", "low", "high"}.intersection(value)
        if nested and value:
            yield from _flat(value, f"{name}.")
        elif nested:
            raise ConfigError(f"{name} is empty; give it a value, or leave it out.")
        else:
            yield name, value


def _told(when: Mapping[str, tuple[Any, ...]]) -> str:
    """Says a condition in words."""
    return " and ".join(f"{name} = {' or '.join(map(str, wanted))}" for name, wanted in when.items())
