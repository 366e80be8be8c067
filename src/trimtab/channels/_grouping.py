"""From channels that were united to groups: sets of units that nothing tells apart."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from trimtab.channels._groups import ChannelGraph, ChannelGroup, FollowedCall, Member, WeightAxis
from trimtab.channels._layout import Layout
from trimtab.channels._places import placed_layers
from trimtab.channels._ties import AxisRecord, Ties

__all__ = ["grouped", "members_of"]


def grouped(model: keras.Model, ties: Ties, calls: Sequence[FollowedCall]) -> ChannelGraph:
    """Sorts united channels into groups.

    United channels are one unit. Units that stand along exactly the same axes of weights are one group: as at
    least one unit of each group stays, no axis is ever left empty. Units that must stay are told apart.
    """
    places = {path: place for place, (path, _) in enumerate(placed_layers(model))}
    records = sorted(ties.axes.values(), key=lambda record: places.get(record.layer, len(places)))
    units, unit_of_channel = np.unique(ties.roots(), return_inverse=True)
    along = [_renumbered(record.ids, unit_of_channel) for record in records]
    reasons, inexact = ties.reasons(), ties.inexact_roots()
    locked = np.array([root in reasons for root in units.tolist()], bool)
    sorted_units = _sorted(records, along, _signatures(along, locked))
    number = np.empty(len(units), np.int64)  # units through all groups in their order
    if sorted_units:
        number[np.concatenate([mine for _, mine in sorted_units])] = np.arange(len(units))
    axes = tuple(
        WeightAxis(
            record.layer, record.weight, record.variable, record.axis, _renumbered(ids, number), record.role
        )
        for record, ids in zip(records, along, strict=True)
        if (ids >= 0).any()
    )
    members = members_of(axes, np.array([len(mine) for _, mine in sorted_units], np.int64))
    groups = []
    for name, (_, mine), own in zip(_names(sorted_units), sorted_units, members, strict=True):
        roots = units[mine].tolist()
        told = sorted(reasons[root] for root in roots if root in reasons)
        groups.append(
            ChannelGroup(
                name=name,
                size=len(mine),
                members=tuple(own),
                locked=told[0][1] if told else None,
                exact=inexact.isdisjoint(roots),
                layers=tuple(dict.fromkeys(member.layer for member in own if member.role != "in")),
            )
        )
    return ChannelGraph(tuple(groups), model, axes, _in_units(calls, unit_of_channel, number))


def _signatures(along: Sequence[np.ndarray], locked: np.ndarray) -> np.ndarray:
    """Returns a number for each unit that is equal for units that stand along the same axes.

    A random 64-bit number for each axis, combined by exclusive or: that two different sets of axes give one
    number does not happen, and the numbers are the same in each process.
    """
    draws = np.random.default_rng(0).integers(1 << 63, size=len(along) + 1, dtype=np.uint64)
    signatures = np.where(locked, draws[-1], np.uint64(0))
    for ids, draw in zip(along, draws[:-1], strict=True):
        signatures[np.unique(ids[ids >= 0])] ^= draw
    return signatures


def _sorted(
    records: Sequence[AxisRecord], along: Sequence[np.ndarray], signatures: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    """Sorts units into groups, both in the order in which the layers make them.

    Returns:
        For each group the first layer that makes its channels, and its units as they stand there.
    """
    found: dict[int, tuple[str, np.ndarray]] = {}
    for record, ids in zip(records, along, strict=True):
        if record.role == "out":
            standing = ids[np.sort(np.unique(ids, return_index=True)[1])]
            standing = standing[standing >= 0]
            mine = signatures[standing]
            for signature in dict.fromkeys(mine.tolist()):
                if signature not in found:
                    found[signature] = (record.layer, standing[mine == signature])
    return list(found.values())


def _renumbered(ids: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Gives the places of an axis other numbers; -1 stays."""
    return np.where(ids >= 0, number[ids], -1) if len(number) else ids


def members_of(axes: Sequence[WeightAxis], sizes: np.ndarray) -> list[list[Member]]:
    """Lists the members of each group, in the order of the graph.

    Args:
        axes: every axis along which channels stand, with units counted through all groups.
        sizes: how many units each group has.
    """
    members: list[list[Member]] = [[] for _ in sizes]
    ends = np.cumsum(sizes)
    for axis in axes:
        present = axis.units[axis.units >= 0]
        for group in np.unique(np.searchsorted(ends, present, side="right")).tolist():
            first = ends[group] - sizes[group]
            inside = (axis.units >= first) & (axis.units < ends[group])
            units = np.where(inside, axis.units - first, -1)
            members[group].append(Member(axis.layer, axis.variable, axis.weight, axis.axis, units, axis.role))
    return members


def _names(groups: Sequence[tuple[str, np.ndarray]]) -> list[str]:
    """Names each group after the first layer that makes it; ``#2`` behind it where that is taken."""
    names: dict[str, None] = {}
    for maker, _ in groups:
        name, again = maker, 2
        while name in names:
            name, again = f"{maker}#{again}", again + 1
        names[name] = None
    return list(names)


def _in_units(
    calls: Sequence[FollowedCall], unit_of_channel: np.ndarray, number: np.ndarray
) -> tuple[FollowedCall, ...]:
    """Writes the layouts of all calls in units."""
    known: dict[int, Layout] = {}

    def written(layout: Layout) -> Layout:
        if id(layout) not in known:
            ids = {axis: _renumbered(ids, number[unit_of_channel]) for axis, ids in layout.ids.items()}
            known[id(layout)] = Layout(layout.shape, ids)
        return known[id(layout)]

    return tuple(
        FollowedCall(
            call.operation, call.path, tuple(map(written, call.inputs)), tuple(map(written, call.outputs))
        )
        for call in calls
    )
