"""What `find_groups` finds: groups of channels that live and die together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import keras
import numpy as np

from trimtab.channels._layout import Layout
from trimtab.errors import ConfigError, ModelError, nearest

__all__ = ["ChannelGraph", "ChannelGroup", "FollowedCall", "Member", "Role", "WeightAxis", "check_free"]

Role = Literal["out", "in", "scale"]
"""What an axis of a weight has to do with channels: it makes them, takes them in, or scales each alone."""


@dataclass(frozen=True, eq=False)
class Member:
    """One axis of one weight, along which a group's channels stand.

    Attributes:
        layer: the layer's name, after the names of the models it is nested in: ``"base/conv_1"``.
        variable: the weight, a `keras.Variable` of the model.
        weight: its name in the layer: ``"kernel"``, ``"moving_mean"``; ``"query/kernel"`` in attention.
        axis: the axis, counted from 0.
        units: int array (size of that axis,): the unit of the group that each place belongs to; -1 for a
            place that belongs to none of this group.
        role: ``"out"``: the axis makes the channels (filters, and their bias); ``"in"``: it takes them in;
            ``"scale"``: parameters of each channel alone (batch normalisation, depthwise kernels, PReLU).
    """

    layer: str
    variable: Any
    weight: str
    axis: int
    units: np.ndarray
    role: Role


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Channels of several layers that can only be removed together.

    Attributes:
        name: name of the first layer that makes them, such as ``"stage_2_block_1_conv_1"``, or
            ``"base/conv1"`` in a nested model; with ``"#2"``, ``"#3"`` behind it where one layer makes
            channels of several groups.
        size: how many *units* there are. A unit is what is kept or removed as one: a channel, or several that
            are tied (one of each group of a grouped convolution, an attention head).
        members: every axis of a weight that the channels stand along, in the order of the graph.
        locked: why nothing may be removed, in plain words; None: the group may be pruned.
        exact: False where removing a channel of zeros still changes the outputs, because something sees how
            many channels there are (layer normalisation, a mean over channels).
        layers: the layers that are tied together, in the order of the graph: those that make the channels
            or have parameters for each. Those that take them in are among the members only.
    """

    name: str
    size: int
    members: tuple[Member, ...]
    locked: str | None
    exact: bool
    layers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class WeightAxis:
    """An axis of a weight along which channels stand, of whatever groups.

    Attributes:
        layer: as in `Member`, and so are `weight`, `variable`, `axis` and `role`.
        units: int array (size of that axis,): number of the unit, counted through all groups in their order;
            -1 for a place that always stays.
    """

    layer: str
    weight: str
    variable: Any
    axis: int
    units: np.ndarray
    role: Role


@dataclass(frozen=True, eq=False)
class FollowedCall:
    """One call of a layer or operator in the graph, and where the channels stand in its tensors.

    Attributes:
        operation: the layer, or the operator (`keras.ops`) that is called.
        path: its name, after the names of the models it is nested in.
        inputs: layout of each tensor that goes in; ids are units, counted through all groups.
        outputs: layout of each tensor that comes out.
    """

    operation: Any
    path: str
    inputs: tuple[Layout, ...]
    outputs: tuple[Layout, ...]


@dataclass(frozen=True, eq=False)
class ChannelGraph:
    """Which channels of a model live and die together.

    Every channel that could be removed is in exactly one group. Made by `find_groups`; the order of groups,
    members and units depends on the model alone, so it is the same in every process.

    Attributes:
        groups: in the order of the graph.
        model: the model that was followed.
        axes: every axis of a weight along which channels stand; what `remove` slices.
        calls: every call in the graph; what `remove` reads the new sizes of tensors from.
    """

    groups: tuple[ChannelGroup, ...]
    model: keras.Model
    axes: tuple[WeightAxis, ...] = field(default=(), repr=False)
    calls: tuple[FollowedCall, ...] = field(default=(), repr=False)

    def group(self, name: str) -> ChannelGroup:
        """Returns the group of that name.

        Raises:
            ConfigError: there is none.
        """
        for group in self.groups:
            if group.name == name:
                return group
        names = [group.name for group in self.groups]
        raise ConfigError(
            f"The model {self.model.name!r} has no group of channels {name!r}.{nearest(name, names)} "
            f"Its groups are named after the first layer of each: {', '.join(names[:12])}"
            f"{', ...' if len(names) > 12 else ''}."
        )

    @cached_property
    def first_units(self) -> Mapping[str, int]:
        """The number of each group's first unit, counted through all groups in their order."""
        numbers, count = {}, 0
        for group in self.groups:
            numbers[group.name] = count
            count += group.size
        return numbers

    @property
    def units(self) -> int:
        """How many units there are in all groups."""
        return sum(group.size for group in self.groups)

    def unit_mask(self, keep: Mapping[str, Sequence[int] | np.ndarray]) -> np.ndarray:
        """Says of every unit whether it stays.

        Args:
            keep: for groups by name, the indices (or a bool array) of the units that stay; a group that is
                not named stays whole. Not checked here: `remove` does.

        Returns:
            Bool array (units,), numbered through all groups. The places of a `WeightAxis` or `Layout` that
            stay are ``(units < 0) | mask[units]``.
        """
        mask = np.ones(self.units, bool)
        for name, kept in keep.items():
            first = self.first_units[name]
            mine = np.zeros(self.group(name).size, bool)
            mine[np.asarray(kept)] = True
            mask[first : first + len(mine)] = mine
        return mask

    def sizes(self, counts: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Returns the shape that each weight would have, without building anything.

        Args:
            counts: how many units of each group stay; a group that is not named stays whole.

        Returns:
            Path of each of the model's weights to its shape.
        """
        from trimtab.channels import _costs

        return _costs.sizes(self, counts)

    def parameters(self, counts: Mapping[str, int]) -> int:
        """Counts the parameters (as `models.parameters`) that the model would have with so many units."""
        from trimtab.channels import _costs

        return _costs.parameters(self, counts)

    def macs(self, counts: Mapping[str, int]) -> int | None:
        """Counts the multiply-accumulates (as `models.macs`) that an image would cost with so many units."""
        from trimtab.channels import _costs

        return _costs.macs(self, counts)


def check_free(graph: ChannelGraph) -> None:
    """Raises `ModelError` where all groups of a model are locked, and says why some of them are."""
    if any(group.locked is None for group in graph.groups):
        return
    told = "; ".join(f"{group.name}: {group.locked}" for group in graph.groups[:3])
    more = f"; and {len(graph.groups) - 3} more" if len(graph.groups) > 3 else ""
    raise ModelError(
        f"No channel of the model {graph.model.name!r} may be removed "
        f"({told or 'it has no layers with channels'}{more}). Give a model with hidden layers, or teach "
        "trimtab.channels.register the layers that are not understood."
    )
