"""What must go together: channels as numbers, united where they meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.channels._groups import Role
from trimtab.channels._layout import Ids

__all__ = ["AxisRecord", "Ties"]


@dataclass(frozen=True, eq=False)
class AxisRecord:
    """An axis of a weight and its channels, as `WeightAxis` but with channels for units."""

    layer: str
    weight: str
    variable: Any
    axis: int
    ids: Ids
    role: Role


class Ties:
    """All channels of a model, which of them go together, and which must stay.

    Channels are numbered in the order in which the graph makes them. United channels are a tree in which
    each points to one with a smaller number (union-find), so that its root is the first of them.
    """

    def __init__(self) -> None:
        self.axes: dict[tuple[int, int], AxisRecord] = {}
        self._parents: list[int] = []
        self._locked: list[tuple[Ids, str]] = []
        self._inexact: list[Ids] = []
        self._mentioned: set[int] = set()
        self._foreign: dict[int, tuple[Any, str]] = {}
        self._calls: dict[tuple[int, int, int], Ids] = {}

    def make(self, path: str, variable: Any, axis: int, weight: str | None) -> Ids:
        """Returns the channels that an axis makes: new ones, unless it is known from an earlier call."""
        self.mention(variable)
        axis %= len(variable.shape)
        record = self.axes.get((id(variable), axis))
        if record is not None:
            return record.ids
        first, count = len(self._parents), int(variable.shape[axis])
        ids = np.arange(first, first + count)
        self._parents.extend(range(first, first + count))
        self.axes[id(variable), axis] = AxisRecord(path, weight or variable.name, variable, axis, ids, "out")
        return ids

    def attach(self, path: str, variable: Any, axis: int, ids: Ids, role: Role, weight: str | None) -> None:
        """Notes that channels stand along an axis of a weight; those of an earlier call are tied to them."""
        self.mention(variable)
        axis %= len(variable.shape)
        name = weight or variable.name
        if len(ids) != variable.shape[axis]:
            self.lock(ids, f"the {name} of {path!r} has another size")
            self.disown(variable, f"the {name} of {path!r} has another size")
            return
        record = self.axes.get((id(variable), axis))
        if record is None:
            self.axes[id(variable), axis] = AxisRecord(path, name, variable, axis, ids, role)
        else:
            self.tie(record.ids, ids, f"shares the {name} of {path!r} with numbers that always stay")

    def mention(self, variable: Any) -> None:
        """Notes that a rule knows of a weight."""
        self._mentioned.add(id(variable))

    def knows(self, variable: Any) -> bool:
        """Says whether a rule has mentioned a weight."""
        return id(variable) in self._mentioned

    def disown(self, variable: Any, why: str) -> None:
        """Notes that a weight is used in ways that are not understood: whatever stands along it stays."""
        self._foreign.setdefault(id(variable), (variable, why))

    def tie(self, one: Ids, other: Ids, why: str) -> None:
        """Unites channels at the same place; where one place always stays, the other's channel does too."""
        if len(one) != len(other):
            self.lock(one, why)
            self.lock(other, why)
            return
        both = (one >= 0) & (other >= 0)
        for left, right in zip(one[both].tolist(), other[both].tolist(), strict=True):
            self._unite(left, right)
        self.lock(one[other < 0], why)
        self.lock(other[one < 0], why)

    def tie_calls(self, operation: Any, tensor: int, axis: int, ids: Ids) -> None:
        """Ties channels to those of earlier calls of the same layer, place by place."""
        earlier = self._calls.setdefault((id(operation), tensor, axis), ids)
        if earlier is not ids:
            why = f"{operation.name!r} is called again on numbers that always stay"
            self.tie(earlier, ids, why)

    def lock(self, ids: Ids, why: str) -> None:
        """Notes that channels must stay."""
        ids = ids[ids >= 0]
        if len(ids):
            self._locked.append((ids, why))

    def inexact(self, ids: Ids) -> None:
        """Notes that something sees how many of these channels there are."""
        self._inexact.append(ids[ids >= 0])

    def roots(self) -> Ids:
        """Returns for each channel the first of those that it goes with."""
        return np.array([self._root(channel) for channel in range(len(self._parents))], np.int64)

    def reasons(self) -> dict[int, tuple[int, str]]:
        """Returns for each root that must stay (how early it was told, why): the first reason."""
        for record in self.axes.values():
            if id(record.variable) in self._foreign:
                self.lock(record.ids, self._foreign[id(record.variable)][1])
        found: dict[int, tuple[int, str]] = {}
        for order, (ids, why) in enumerate(self._locked):
            for channel in np.unique(ids).tolist():
                found.setdefault(self._root(channel), (order, why))
        return found

    def inexact_roots(self) -> set[int]:
        """Returns the roots of whose number something depends."""
        return {self._root(channel) for ids in self._inexact for channel in np.unique(ids).tolist()}

    def _root(self, channel: int) -> int:
        parents = self._parents
        while parents[channel] != channel:
            parents[channel] = parents[parents[channel]]
            channel = parents[channel]
        return channel

    def _unite(self, one: int, other: int) -> None:
        left, right = self._root(one), self._root(other)
        if left != right:
            self._parents[max(left, right)] = min(left, right)
