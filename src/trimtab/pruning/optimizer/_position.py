"""Where the weights to prune stand among the variables an optimizer is built on.

An optimizer sees variables, not layers. Paths of variables cannot serve: Keras gives many variables
another path when a model is loaded. So the place is kept, with the shape as a check.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

from trimtab.errors import ConfigError
from trimtab.pruning.criteria._granularity import Granularity
from trimtab.pruning.where._selection import Selected

__all__ = ["Position", "checked", "found_among", "found_by_name", "refuse"]

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


@dataclasses.dataclass(frozen=True)
class Position:
    """The place of a weight to prune, and what a saved optimizer must remember about it.

    Attributes:
        index: its place among the variables to train.
        shape: its shape.
        axis: its input-channel axis; None: none, or unknown.
        target: the final sparsity of its own; None: that of the schedule.
    """

    index: int
    shape: tuple[int, ...]
    axis: int | None = None
    target: float | None = None

    def get_config(self) -> list[Any]:
        """Returns the position as plain data."""
        return [self.index, list(self.shape), self.axis, self.target]

    @classmethod
    def from_config(cls, config: Sequence[Any]) -> Self:
        """Makes the position from what `get_config` gave; axis and target may be missing."""
        index, shape, *rest = config
        return cls(int(index), tuple(shape), *rest)


def found_among(variables: Sequence[Any], selected: Sequence[Selected]) -> tuple[Position, ...]:
    """Finds the selected weights among the variables to train, by identity.

    Raises:
        ConfigError: one is not among them.
    """
    wanted = {id(weight.variable): weight for weight in selected}
    positions = tuple(
        Position(index, tuple(variable.shape), wanted[id(variable)].axis, wanted[id(variable)].target)
        for index, variable in enumerate(variables)
        if id(variable) in wanted
    )
    if len(positions) != len(wanted):
        raise ConfigError(
            f"{len(wanted) - len(positions)} of {len(wanted)} weights to prune are not among the "
            f"{len(variables)} variables to train. Unfreeze their layers, or leave them out."
        )
    return positions


def found_by_name(variables: Sequence[Any], granularity: Granularity) -> tuple[Position, ...]:
    """Finds the weights to prune by their variables' names, where nothing else was said.

    Raises:
        ConfigError: none has such a name, or none of those can have this granularity.
    """
    named = [
        Position(index, tuple(variable.shape))
        for index, variable in enumerate(variables)
        if variable.name.split(":")[0] in KERNELS
    ]
    if not named:
        raise ConfigError(
            f"None of the {len(variables)} variables to train is named {', '.join(KERNELS)}, so nothing "
            "would be pruned. Give the variables as `weights`, or use PruningOptimizer.for_model."
        )
    usable = tuple(spot for spot in named if granularity.refuses(spot.shape, spot.axis) is None)
    if not usable:
        refuse(named[0], granularity)
    return usable


def refuse(position: Position, granularity: Granularity) -> None:
    """Raises `ConfigError` where a weight cannot be pruned with this granularity."""
    reason = granularity.refuses(position.shape, position.axis)
    if reason is not None:
        raise ConfigError(
            f"A weight of shape {position.shape} cannot be pruned with granularity {granularity.name!r}: "
            f"{reason}. PruningOptimizer.for_model sees the layers, not just the variables: it knows their "
            "input channels, and leaves out what cannot be pruned so."
        )


def checked(positions: Sequence[Position], variables: Sequence[Any]) -> tuple[Position, ...]:
    """Returns positions that were saved.

    Raises:
        ConfigError: other variables stand there now.
    """
    for position in positions:
        shape = tuple(variables[position.index].shape) if position.index < len(variables) else None
        if shape != position.shape:
            there = "none" if shape is None else f"one of shape {shape}"
            raise ConfigError(
                f"The optimizer was made to prune a weight of shape {position.shape} as variable "
                f"{position.index} to train, but there is {there}. Build it on the variables of the model it "
                "was made for, in the same order, with the same layers frozen."
            )
    return tuple(positions)
