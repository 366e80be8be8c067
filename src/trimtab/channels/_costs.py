"""What a model would cost with fewer channels, counted without building it."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from trimtab.channels._places import named_weights
from trimtab.errors import ConfigError, nearest
from trimtab.models import macs_per_layer

if TYPE_CHECKING:
    from trimtab.channels._groups import ChannelGraph, FollowedCall

__all__ = ["macs", "parameters", "sizes"]

_Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Weight:
    """One weight of the model, or the places of one tensor.

    Attributes:
        path: of its layer and itself, such as ``"base/conv_1/kernel"``.
        shape: as it is now.
        axes: for each axis along which channels stand: the axis, and how many of its places belong to one
            unit of each group (an array with a number for each group of the graph).
    """

    path: str
    shape: _Shape
    axes: tuple[tuple[int, np.ndarray], ...]

    def size(self, gone: np.ndarray) -> _Shape:
        """Gives its shape once so many units of each group are gone."""
        shape = list(self.shape)
        for axis, places in self.axes:
            shape[axis] -= round(float(places @ gone))
        return tuple(shape)


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a layer.

    Attributes:
        macs: its multiply-accumulates now.
        kernels: indices of the weights that they grow with.
        places: the output's axes along which channels pass through: they grow with those too.
    """

    macs: int
    kernels: tuple[int, ...]
    places: _Weight

    def cost(self, weights: Sequence[_Weight], gone: np.ndarray) -> int:
        """Counts its multiply-accumulates once so many units of each group are gone."""
        before = sum(math.prod(weights[index].shape) for index in self.kernels)
        after = sum(math.prod(weights[index].size(gone)) for index in self.kernels)
        if not before:
            return self.macs
        before, after = before * math.prod(self.places.shape), after * math.prod(self.places.size(gone))
        return self.macs * after // before


@dataclass(frozen=True, eq=False)
class _Table:
    """All that is needed to count.

    Attributes:
        groups: size of each group, by name, in the order of the graph.
        weights: every weight of the model.
        calls: the calls that cost something.
        unknown: True where a layer's cost cannot be told.
    """

    groups: Mapping[str, int]
    weights: tuple[_Weight, ...]
    calls: tuple[_Call, ...]
    unknown: bool

    def gone(self, counts: Mapping[str, int]) -> np.ndarray:
        """Says how many units of each group are gone."""
        for name, count in counts.items():
            if name not in self.groups:
                raise ConfigError(
                    f"There is no group of channels called {name!r}.{nearest(str(name), self.groups)} "
                    "find_groups(model) lists them."
                )
            if not 0 <= count <= self.groups[name]:
                raise ConfigError(
                    f"The group {name!r} has {self.groups[name]} units; it cannot keep {count!r} of them."
                )
        return np.array([size - counts.get(name, size) for name, size in self.groups.items()], float)


def sizes(graph: ChannelGraph, counts: Mapping[str, int]) -> dict[str, _Shape]:
    """Tells the shape that each weight would have.

    Args:
        graph: the groups.
        counts: how many units stay, by group; groups not named stay whole.

    Returns:
        The shape of every weight of the model, by the path of its layer and its name, such as
        ``"base/conv_1/kernel"``.

    Raises:
        ConfigError: a group is unknown, or has not so many units.
    """
    table = _table(graph)
    gone = table.gone(counts)
    return {weight.path: weight.size(gone) for weight in table.weights}


def parameters(graph: ChannelGraph, counts: Mapping[str, int]) -> int:
    """Counts the parameters that the model would have, as `trimtab.models.parameters` does.

    Args:
        graph: the groups.
        counts: how many units stay, by group; groups not named stay whole.

    Raises:
        ConfigError: a group is unknown, or has not so many units.
    """
    table = _table(graph)
    gone = table.gone(counts)
    return sum(math.prod(weight.size(gone)) for weight in table.weights)


def macs(graph: ChannelGraph, counts: Mapping[str, int]) -> int | None:
    """Counts the multiply-accumulates that an image would cost, as `trimtab.models.macs` does.

    A layer's grow and shrink with the numbers in its kernels.

    Args:
        graph: the groups.
        counts: how many units stay, by group; groups not named stay whole.

    Returns:
        The count, or None where a layer's cannot be told.

    Raises:
        ConfigError: a group is unknown, or has not so many units.
    """
    table = _table(graph)
    gone = table.gone(counts)
    if table.unknown:
        return None
    return sum(call.cost(table.weights, gone) for call in table.calls)


_TABLES: weakref.WeakKeyDictionary[ChannelGraph, _Table] = weakref.WeakKeyDictionary()
"""A search for a target counts the same graph many times."""


def _table(graph: ChannelGraph) -> _Table:
    """Gives the table of a graph, made at its first use."""
    if graph not in _TABLES:
        _TABLES[graph] = _made(graph)
    return _TABLES[graph]


def _made(graph: ChannelGraph) -> _Table:
    """Makes the table of a graph."""
    groups = {group.name: group.size for group in graph.groups}
    owner = np.repeat(np.arange(len(groups)), list(groups.values()))
    units = np.array(list(groups.values()), float)

    def places(found: np.ndarray) -> np.ndarray:
        counts: np.ndarray = np.bincount(owner[found[found >= 0]], minlength=len(groups)) / units
        return counts

    axes: dict[int, list[tuple[int, np.ndarray]]] = {}
    for axis in graph.axes:
        axes.setdefault(id(axis.variable), []).append((axis.axis, places(axis.units)))
    named = named_weights(graph.model)
    weights = tuple(
        _Weight(path, tuple(weight.shape), tuple(axes.get(id(weight), ()))) for path, weight in named
    )
    index = {id(weight): at for at, (_, weight) in enumerate(named)}
    costs = macs_per_layer(graph.model)
    calls = tuple(
        _call(cost.macs, call, index, places)
        for cost, call in zip(costs, graph.calls, strict=True)
        if cost.macs
    )
    return _Table(groups, weights, calls, any(cost.macs is None for cost in costs))


def _call(
    count: int, call: FollowedCall, index: Mapping[int, int], places: Callable[[np.ndarray], np.ndarray]
) -> _Call:
    """Notes what one call costs now, and what it grows with."""
    # Biases and the like cost nothing, and have one axis.
    kernels = tuple(index[id(weight)] for weight in _weights(call.operation) if len(weight.shape) > 1)
    output = call.outputs[0]
    # A dense layer works along the last axis. What stands along the others only passes through.
    passing = output.without(-1) if isinstance(call.operation, keras.layers.Dense) else {}
    sizes = tuple(len(ids) for ids in passing.values())
    counted = tuple((place, places(ids)) for place, ids in enumerate(passing.values()))
    return _Call(count, kernels, _Weight(call.path, sizes, counted))


def _weights(operation: Any) -> Sequence[Any]:
    """Lists the weights of a layer; an operator has none."""
    return tuple(getattr(operation, "weights", ()))
