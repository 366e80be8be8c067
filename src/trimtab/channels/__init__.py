"""Which channels of a model live and die together, and models without some of them.

A convolution's filter can only go together with its batch normalisation, with the filters that are added to
it further on, and with the inputs of all that follow. `find_groups` follows a model's graph and finds these
groups; `remove` makes the smaller model, an ordinary Keras model of the same class::

    from trimtab import channels

    graph = channels.find_groups(model)
    for group in graph.groups:
        print(group.name, group.size, group.layers, group.locked or "may be pruned")
    smaller = channels.remove(model, {"stage_1_conv": range(8)})

What is not understood is locked, with the reason, and stays as it is. `register` teaches a layer class of
your own.
"""

from __future__ import annotations

from trimtab.channels import rules  # noqa: F401  (each file in it registers its rules)
from trimtab.channels._graph import find_groups
from trimtab.channels._groups import ChannelGraph, ChannelGroup, FollowedCall, Member, WeightAxis
from trimtab.channels._layout import Layout
from trimtab.channels._places import weight_pairs
from trimtab.channels._register import NewSizes, register
from trimtab.channels._reinitialized import reinitialized
from trimtab.channels._remove import remove
from trimtab.channels._site import Site
from trimtab.channels._slicing import Slicing

__all__ = [
    "ChannelGraph",
    "ChannelGroup",
    "FollowedCall",
    "Layout",
    "Member",
    "NewSizes",
    "Site",
    "Slicing",
    "WeightAxis",
    "find_groups",
    "register",
    "reinitialized",
    "remove",
    "weight_pairs",
]
