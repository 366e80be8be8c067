"""The scores of all units of a model's groups, from its weights or from gradients on training images."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.channel_pruning._importance import ChannelImportance, Floats
from trimtab.channel_pruning._importance_name import channel_importance
from trimtab.errors import ConfigError, ModelError
from trimtab.models import check_fits
from trimtab.pruning.scanning._taylor import batch_gradients
from trimtab.training._judging import check_arguments

if TYPE_CHECKING:
    from trimtab.channels import ChannelGraph, ChannelGroup
    from trimtab.data import ImageData

__all__ = ["scores", "unscored"]


def scores(
    graph: ChannelGraph,
    importance: str | ChannelImportance | Callable[[Any, Any], Any] = "l2",
    data: ImageData | None = None,
    *,
    images: int = 512,
    batch_size: int = 64,
    from_logits: bool | None = None,
    seed: int = 0,
) -> dict[str, Floats]:
    """Says how much each unit of each group matters; the larger stay.

    Args:
        graph: what `trimtab.channels.find_groups` gave.
        importance: a name (``"l1"``, ``"l2"``, ``"bn_scale"``, ``"taylor"``, ``"fpgm"``, ``"random"``), a
            function from a group and its weights to scores, or a `ChannelImportance`.
        data: its training images calibrate ``"taylor"``; the others need none.
        images: how many training images, chosen by `seed`; all, where there are fewer.
        batch_size: images in a batch; the squares of `ChannelTaylor` are taken batch by batch.
        from_logits: whether the model gives logits; None: look at it.
        seed: chooses the images.

    Returns:
        For each group that may be pruned and can be scored, by name, its scores (group.size,), 0 or more. A
        group that the importance cannot score is left out, and stays whole; `unscored` says why.

    Raises:
        ConfigError: an argument makes no sense, gradients are needed and cannot be had, no group can be
            scored, or a function of yours gives something else than one score for each unit.
        DataError: there are no training images.
        ModelError: the model does not fit the data, or a score is NaN.

    Example:
        >>> found = scores(trimtab.channels.find_groups(model), "taylor", data)
    """
    kind = channel_importance(importance)
    refused = dict(unscored(graph, kind))
    groups = [group for group in graph.groups if group.locked is None and group.name not in refused]
    if not groups:
        told = "; ".join(f"{name}: {why}" for name, why in list(refused.items())[:3])
        raise ConfigError(
            f"The importance {kind.name!r} can score no group of the model {graph.model.name!r}"
            f"{f' ({told})' if told else ': none may be pruned'}. Choose another, such as 'l2'."
        )
    memories: dict[str, Any] = {}
    if kind.remembers:
        memories = _remembered(graph, groups, kind, data, images, batch_size, from_logits, seed)
    return {group.name: _checked(kind, group, memories.get(group.name)) for group in groups}


def unscored(graph: ChannelGraph, importance: ChannelImportance) -> tuple[tuple[str, str], ...]:
    """Lists the groups that may be pruned but that an importance cannot score, each with the reason."""
    trained = {id(variable) for variable in graph.model.trainable_variables}

    def reason(group: ChannelGroup) -> str | None:
        frozen = not any(id(member.variable) in trained for member in group.members)
        if importance.remembers and frozen:
            return f"it is frozen, so it has no gradients, which {importance.name!r} ranks by"
        return importance.refuses(group)

    reasons = ((group.name, reason(group)) for group in graph.groups if group.locked is None)
    return tuple((name, told) for name, told in reasons if told is not None)


def _checked(kind: ChannelImportance, group: ChannelGroup, memory: Any) -> Floats:
    """Returns the scores of a group, after checking them."""
    found = np.asarray(kind.score(group, memory))
    if found.shape != (group.size,) or not np.issubdtype(found.dtype, np.number):
        raise ConfigError(
            f"The importance {kind.name!r} must give one number for each of the {group.size} units of group "
            f"{group.name!r}, but gave {found.dtype} of shape {found.shape}."
        )
    if not np.isfinite(found).all():
        raise ModelError(
            f"The importance {kind.name!r} gives NaN or infinity for group {group.name!r}: its weights are "
            "broken. Train the model again with a lower learning rate, or load an earlier state."
        )
    if (found < 0).any():
        raise ConfigError(
            f"The importance {kind.name!r} gives {found.min():.6g} for a unit of group {group.name!r}; "
            "scores are 0 or more, the larger stay. Add a constant, or take the magnitude."
        )
    return found.astype(np.float64)


def _remembered(
    graph: ChannelGraph,
    groups: list[ChannelGroup],
    kind: ChannelImportance,
    data: ImageData | None,
    images: int,
    batch_size: int,
    from_logits: bool | None,
    seed: int,
) -> dict[str, Any]:
    """Shows the importance the gradients of some training images, and returns what it keeps of them."""
    if data is None:
        raise ConfigError(
            f"The importance {kind.name!r} needs training images for its gradients, and none were given. "
            "Give data=, or choose one that needs none, such as 'l2'."
        )
    check_arguments(data, images, batch_size, from_logits, seed)
    check_fits(graph.model, data)
    trained = {id(variable) for variable in graph.model.trainable_variables}
    wanted = {
        id(m.variable): m.variable for group in groups for m in group.members if id(m.variable) in trained
    }
    memories: dict[str, Any] = {group.name: None for group in groups}
    for found, count in batch_gradients(
        graph.model,
        data,
        list(wanted.values()),
        images=images,
        batch_size=batch_size,
        from_logits=from_logits,
        seed=seed,
    ):
        means = {key: np.asarray(one) / count for key, one in zip(wanted, found, strict=True)}
        for group in groups:
            gradients = [means.get(id(member.variable)) for member in group.members]
            memories[group.name] = kind.observe(memories[group.name], group, gradients)
    return memories
