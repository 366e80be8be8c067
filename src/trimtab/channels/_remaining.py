"""The groups of a model that lost channels: what is left of those that it had."""

from __future__ import annotations

from collections import defaultdict, deque

import keras
import numpy as np

from trimtab import _keras_internals
from trimtab.channels._grouping import members_of
from trimtab.channels._groups import ChannelGraph, ChannelGroup, FollowedCall, WeightAxis
from trimtab.channels._layout import Ids, Layout
from trimtab.channels._places import weight_pairs
from trimtab.channels._slicing import Keep, Slicing

__all__ = ["remaining"]


def remaining(graph: ChannelGraph, keep: Keep, smaller: keras.Model) -> ChannelGraph:
    """Returns the groups of a smaller model as what is left of those of the larger one.

    They have the names that they had, and the units that stayed, in their order. `find_groups` may find
    others in the smaller model: once each group of a grouped convolution takes in one channel, it is a
    depthwise convolution, whose outputs go with its inputs.

    Args:
        graph: the groups of the larger model.
        keep: the units that stayed, as `remove` was told.
        smaller: what `remove` made.
    """
    slicing = Slicing(graph, keep)
    stays = slicing.mask[:-1]
    number = np.append(np.cumsum(stays) - 1, -1)  # -1 for places that always stay, which are -1 before too

    def left(units: Ids) -> Ids:
        return np.asarray(number[units[slicing.of(units)]])

    def left_of(layout: Layout) -> Layout:
        return Layout(slicing.of_layout(layout), {axis: left(ids) for axis, ids in layout.ids.items()})

    twins = {id(weight): twin for _, weight, twin in weight_pairs(graph.model, smaller)}
    axes = tuple(
        WeightAxis(axis.layer, axis.weight, twins[id(axis.variable)], axis.axis, left(axis.units), axis.role)
        for axis in graph.axes
    )
    first = graph.first_units
    sizes = [int(stays[first[group.name] :][: group.size].sum()) for group in graph.groups]
    members = members_of(axes, np.array(sizes, np.int64))
    groups = tuple(
        ChannelGroup(group.name, size, tuple(own), group.locked, group.exact, group.layers)
        for group, size, own in zip(graph.groups, sizes, members, strict=True)
    )
    noted: dict[str, deque[FollowedCall]] = defaultdict(deque)
    for followed in graph.calls:
        noted[followed.path].append(followed)
    calls: list[FollowedCall] = []

    def visit(call: _keras_internals.Call) -> None:
        path = "/".join(call.path)
        before = noted[path].popleft()
        inputs, outputs = (tuple(map(left_of, layouts)) for layouts in (before.inputs, before.outputs))
        calls.append(FollowedCall(call.operation, path, inputs, outputs))

    _keras_internals.walk_graph(smaller, list(smaller.inputs), visit)
    return ChannelGraph(groups, smaller, axes, tuple(calls))
