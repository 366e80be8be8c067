"""How much each unit of a group of channels matters: what every importance gives, and one from a function."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from trimtab.errors import ConfigError
from trimtab.pruning.where._prunable import as_numpy

if TYPE_CHECKING:
    from trimtab.channels import ChannelGroup, Member

__all__ = ["ChannelFunction", "ChannelImportance", "Floats", "added", "counts_as_weight", "sum_per_unit"]

Floats = npt.NDArray[np.float64]

_ASIDE = ("bias", "beta", "alpha", "mean", "variance", "count")
"""Names of weights that say how outputs are shifted, and not how much of a channel there is."""


@dataclasses.dataclass(frozen=True)
class ChannelImportance(abc.ABC):
    """How much each unit of a group matters: it gives scores, and the larger stay.

    A unit is what is kept or removed as one: mostly one channel, in all layers that it runs through. An
    importance is data: a frozen dataclass. `trimtab.channel_pruning.check_channel_importance` says
    whether one of your own does what is needed.
    """

    remembers: ClassVar[bool] = False
    """Whether it needs gradients: they are shown to `observe`, batch by batch, before it scores."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name, such as ``"l2"``."""

    @abc.abstractmethod
    def score(self, group: ChannelGroup, memory: Any = None) -> npt.NDArray[Any]:
        """Returns the score of each unit.

        Args:
            group: the channels that live and die together, with the weights that hold them.
            memory: what `observe` gave last; None for an importance without.

        Returns:
            Numbers of 0 or more, (group.size,).
        """

    def observe(self, memory: Any, group: ChannelGroup, gradients: Sequence[Any]) -> Any:  # noqa: ARG002
        """Returns the new memory of a group after a batch of images; called only where `remembers` is true.

        Args:
            memory: the memory before; None at first.
            group: the group.
            gradients: gradient of the mean loss over the batch for the weight of each member, in the order of
                `group.members`; None for one that is not trained.
        """
        return memory

    def refuses(self, group: ChannelGroup) -> str | None:  # noqa: ARG002
        """Says in plain words why it cannot score a group, which then stays whole; None: it can."""
        return None


@dataclasses.dataclass(frozen=True)
class ChannelFunction(ChannelImportance):
    """Units matter as your function says.

    Args:
        function: takes the group and its weights (a NumPy array for each of `group.members`, in that
            order), and returns one score for each unit, 0 or more.

    Raises:
        ConfigError: `function` cannot be called.

    Example:
        >>> ChannelFunction(lambda group, weights: np.arange(group.size))  # the first ones go
    """

    function: Callable[[Any, Sequence[npt.NDArray[Any]]], Any] = dataclasses.field(metadata={"record": False})

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type):
            raise ConfigError(
                "ChannelFunction needs a function from a group and its weights to scores, but got "
                f"{self.function!r}."
            )

    @property
    def name(self) -> str:
        """The name that the function was defined by."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def score(self, group: ChannelGroup, memory: Any = None) -> npt.NDArray[Any]:  # noqa: ARG002
        """Returns what the function says."""
        return np.asarray(self.function(group, [as_numpy(member.variable) for member in group.members]))


def counts_as_weight(member: Member) -> bool:
    """Tells whether a member says how strong a channel is: a kernel or a scale, and no bias or statistic."""
    return not any(word in member.weight for word in _ASIDE)


def sum_per_unit(member: Member, values: npt.NDArray[Any], size: int) -> Floats:
    """Adds up numbers of the shape of a member's weight over all that belongs to a unit.

    Args:
        member: says which position of its axis belongs to which unit.
        values: of the weight's shape.
        size: number of units.

    Returns:
        (size,) sums; 0 for a unit that has no part in this weight.
    """
    others = tuple(axis for axis in range(values.ndim) if axis != member.axis % values.ndim)
    along = values.sum(axis=others, dtype=np.float64)
    units = np.asarray(member.units)
    there = units >= 0
    return np.asarray(np.bincount(units[there], weights=along[there], minlength=size), np.float64)


def added(group: ChannelGroup, of: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Floats:
    """Adds up a function of the weights over all that holds a unit: kernels that make or take it, scales."""
    total = np.zeros(group.size)
    for member in group.members:
        if counts_as_weight(member):
            total += sum_per_unit(member, of(as_numpy(member.variable)), group.size)
    return total
