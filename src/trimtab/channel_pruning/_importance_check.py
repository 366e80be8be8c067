"""What every importance of channels must do."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trimtab.channel_pruning._importance import ChannelImportance
from trimtab.channel_pruning._rule import SelectionRule
from trimtab.channel_pruning._selection import removal_order
from trimtab.channels import ChannelGraph, ChannelGroup, find_groups
from trimtab.pruning.where._prunable import as_numpy
from trimtab.testing._demand import demand, demand_is

__all__ = ["check_channel_importance"]

_IMAGE = (6, 6, 3)
_BATCHES = 2


def check_channel_importance(importance: ChannelImportance) -> None:
    """Checks that the channels of a model can be ranked by an importance.

    It must be a frozen dataclass. On each group of a small model (a plain stack, a residual stage, a grouped
    convolution, a depthwise one, a dense layer behind a flattened map) it either says why it cannot score it,
    or gives one number of 0 or more for each unit, the same at each call, and leaves the weights alone. One
    that remembers must do so from gradients. What it scores lowest must go first.

    Args:
        importance: the importance to check.

    Raises:
        AssertionError: the importance breaks the contract; the message says how.

    Example:
        >>> check_channel_importance(L2())
    """
    demand_is(importance, ChannelImportance)
    name = type(importance).__name__
    demand(isinstance(importance.name, str) and importance.name, f"{name}.name must be a short text.")
    demand(
        isinstance(importance.remembers, bool), f"{name}.remembers is {importance.remembers!r}, not a bool."
    )
    graph = find_groups(_model())
    found = {}
    for group in graph.groups:
        if group.locked is not None:
            continue
        reason = importance.refuses(group)
        demand(
            reason is None or (isinstance(reason, str) and reason),
            f"{name}.refuses gives {reason!r}: None, or the reason in words.",
        )
        if reason is None:
            found[group.name] = _check_scores(importance, group)
    demand(found, f"{name} refuses every group of an ordinary model, so nothing can be pruned by it.")
    _check_ranking(name, graph, found)


def _check_scores(importance: ChannelImportance, group: ChannelGroup) -> np.ndarray[Any, Any]:
    """Checks the scores of one group, and returns them."""
    name = type(importance).__name__
    before = [as_numpy(member.variable).copy() for member in group.members]
    memory = _remembered(importance, group) if importance.remembers else None
    scores = importance.score(group, memory)
    demand(
        isinstance(scores, np.ndarray)
        and scores.shape == (group.size,)
        and np.issubdtype(scores.dtype, np.number),
        f"{name}.score must give a NumPy array of {group.size} numbers for group {group.name!r}, but gave "
        f"{getattr(scores, 'dtype', type(scores).__name__)} of shape {getattr(scores, 'shape', None)}.",
    )
    demand(np.isfinite(scores).all(), f"{name}.score gives NaN or infinity for group {group.name!r}.")
    demand((scores >= 0).all(), f"{name}.score gives {scores.min()!r}, but a score is 0 or more.")
    again = importance.score(group, _remembered(importance, group) if importance.remembers else None)
    demand(np.array_equal(scores, again), f"{name}.score gives other scores for the same group.")
    demand(
        all(
            np.array_equal(old, as_numpy(member.variable))
            for old, member in zip(before, group.members, strict=True)
        ),
        f"{name}.score changes the weights of group {group.name!r}.",
    )
    return scores


def _remembered(importance: ChannelImportance, group: ChannelGroup) -> Any:
    """Shows the importance gradients of two batches, and returns what it keeps of them."""
    random, memory = np.random.default_rng(1), None
    for _ in range(_BATCHES):
        gradients = [
            random.normal(size=member.variable.shape) if member.variable.trainable else None
            for member in group.members
        ]
        memory = importance.observe(memory, group, gradients)
    demand(memory is not None, f"{type(importance).__name__}.observe forgets: it gives None.")
    return memory


def _check_ranking(name: str, graph: ChannelGraph, found: dict[str, np.ndarray[Any, Any]]) -> None:
    """Checks that of each group the lowest scores go first."""
    order = removal_order(graph, found, SelectionRule(round_to=1, least=1))
    keep = order.keep(order.state(0.5))
    for group, kept in keep.items():
        gone = np.setdiff1d(np.arange(len(found[group])), kept)
        demand(
            not len(gone) or found[group][gone].max() <= found[group][kept].min(),
            f"{name}: group {group!r} loses a unit with a larger score than one that stays.",
        )


def _model() -> keras.Model:
    """Makes a small model with the kinds of groups there are, its weights drawn by one seed."""
    layers = keras.layers
    options = {"padding": "same", "data_format": "channels_last"}
    images = keras.Input(_IMAGE)
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False, name="stem", **options)(images))
    x = layers.ReLU()(x)
    branch = layers.BatchNormalization()(layers.Conv2D(6, 3, name="inner", **options)(x))
    branch = layers.Conv2D(8, 1, name="outer", **options)(layers.ReLU()(branch))
    x = layers.DepthwiseConv2D(3, **options)(layers.Add()([x, branch]))
    x = layers.Conv2D(8, 3, groups=2, activation="relu", name="grouped", **options)(x)
    x = layers.Dense(12, activation="relu", name="hidden")(layers.Flatten()(x))
    model = keras.Model(images, layers.Dense(4, name="logits")(x))
    random = np.random.default_rng(0)
    # Variances must be above 0; all other weights may be anything.
    model.set_weights([np.abs(random.normal(1, 0.5, weight.shape)) + 0.1 for weight in model.weights])
    return model
