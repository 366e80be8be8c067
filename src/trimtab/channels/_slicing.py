"""Which positions of which weights stay, once it is said which units of each group stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.channels._groups import ChannelGraph, ChannelGroup
    from trimtab.channels._layout import Layout

__all__ = ["Keep", "Slicing", "kept_units"]

Keep = Mapping[str, Sequence[int] | np.ndarray]
"""Which units of a group stay, by the group's name: their indices, or a boolean for each unit."""


def kept_units(graph: ChannelGraph, keep: Keep) -> dict[str, np.ndarray]:
    """Checks what shall stay.

    Args:
        graph: the groups.
        keep: the units that stay, by group; groups not named stay whole.

    Returns:
        For each group that is named, a boolean for each of its units.

    Raises:
        ConfigError: a group is unknown or locked, or its units make no sense.
    """
    if not isinstance(keep, Mapping):
        raise ConfigError(
            "keep must be a mapping from names of groups to the units that stay, such as "
            f"{{'conv_1': [0, 2, 5]}}. Received: {type(keep).__name__}."
        )
    return {name: _stay(graph.group(name), units) for name, units in keep.items()}


def _stay(group: ChannelGroup, units: Any) -> np.ndarray:
    """Turns what was given for one group into a boolean for each unit."""
    given = np.asarray(units)
    wanted = f"the indices (0 to {group.size - 1}) of the units that stay, or {group.size} booleans"
    if given.ndim != 1 or (given.size and given.dtype.kind not in "biu"):
        raise ConfigError(f"keep[{group.name!r}] must be {wanted}. Received: {units!r}.")
    stay = np.zeros(group.size, bool)
    if given.dtype == bool:
        if len(given) != group.size:
            raise ConfigError(f"keep[{group.name!r}] must be {wanted}. Received: {len(given)} booleans.")
        stay = given.copy()
    elif given.size:
        if given.min() < 0 or given.max() >= group.size or len(np.unique(given)) < len(given):
            raise ConfigError(
                f"keep[{group.name!r}] must be {wanted}, each once. Received: {given.tolist()}."
            )
        stay[given] = True
    if not stay.any():
        raise ConfigError(f"keep[{group.name!r}] leaves no unit. Keep at least one of {group.size}.")
    if group.locked is not None and not stay.all():
        raise ConfigError(
            f"The channels of {group.name!r} cannot be removed: {group.locked}. Leave it out of keep."
        )
    return stay


class Slicing:
    """Takes from each weight, and from anything shaped like it, what stays.

    Args:
        graph: the groups of a model.
        keep: the units that stay, by group; groups not named stay whole.

    Raises:
        ConfigError: a group is unknown or locked, or its units make no sense.

    Example:
        >>> slicing = Slicing(graph, {"conv_1": [0, 2, 5]})
        >>> momentum = slicing.take(kernel, momentum)
    """

    def __init__(self, graph: ChannelGraph, keep: Keep) -> None:
        # The unit -1 of places that always stay is the last one here.
        self.mask = np.append(graph.unit_mask(kept_units(graph, keep)), True)
        self._kept: dict[int, dict[int, np.ndarray]] = {}
        for axis in graph.axes:
            self._kept.setdefault(id(axis.variable), {})[axis.axis] = self.of(axis.units)

    def of(self, units: np.ndarray) -> np.ndarray:
        """Says for each place of an axis whether it stays, from its units (-1: always)."""
        mask: np.ndarray = self.mask[units]
        return mask

    def of_layout(self, layout: Layout) -> tuple[int | None, ...]:
        """Gives the shape that a tensor has in the smaller model."""
        shape = list(layout.shape)
        for axis, units in layout.ids.items():
            shape[axis] = int(self.of(units).sum())
        return tuple(shape)

    def kept(self, weight: Any, axis: int) -> np.ndarray:
        """Says for each position of an axis of a weight of the model whether it stays."""
        size = weight.shape[axis]
        return self._kept.get(id(weight), {}).get(axis % len(weight.shape), np.ones(size, bool))

    def shape(self, weight: Any) -> tuple[int, ...]:
        """Gives the shape that a weight of the model has in the smaller one."""
        return tuple(int(self.kept(weight, axis).sum()) for axis in range(len(weight.shape)))

    def changes(self, weight: Any) -> bool:
        """Says whether anything of a weight goes."""
        return self.shape(weight) != tuple(weight.shape)

    def take(self, weight: Any, value: np.ndarray) -> np.ndarray:
        """Takes what stays from an array of the shape of a weight of the model.

        Raises:
            ConfigError: the array has another shape.
        """
        array = np.asarray(value)
        if array.shape != tuple(weight.shape):
            raise ConfigError(
                f"The values for {weight.path} must have its shape {tuple(weight.shape)}. "
                f"Received: an array of shape {array.shape}."
            )
        for axis, kept in self._kept.get(id(weight), {}).items():
            array = np.compress(kept, array, axis=axis)
        return array
