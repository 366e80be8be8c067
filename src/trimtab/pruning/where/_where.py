"""Where to prune: the layers chosen by name, by class, by a function or by a policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import keras

from trimtab.errors import ConfigError, nearest
from trimtab.models._where import (
    Reason,
    Where,
    asked_for,
    chosen_by_reasons,
    goes_by,
    is_named,
    own_target,
    paths_of,
)
from trimtab.pruning.where._policy import Policy, chosen_by
from trimtab.pruning.where._prunable import PRUNING, PrunableWeight, check_model, find_weights

if TYPE_CHECKING:
    from trimtab.pruning.criteria._granularity import Granularity

__all__ = [
    "Where",
    "choose_weights",
    "goes_by",
    "is_named",
    "left_alone",
    "own_target",
    "paths_of",
    "unmet",
]


def choose_weights(
    model: keras.Model,
    layers: Where | Policy | None = None,
    exclude: Where = (),
    *,
    skip_ends: bool = False,
    granularity: Granularity | None = None,
) -> tuple[list[PrunableWeight], list[tuple[str, str]]]:
    """Chooses the weights of a model to prune.

    Args:
        model: a built Keras 3 model.
        layers: which layers to prune: names and classes of layers (the name or the class of a nested
            model or block means all layers in it), one class, a function that takes a layer and says yes
            or no, or a `Policy`. None: each layer that may be pruned. Where a layer has just the path that
            is given, such as "dense", layers of that name deeper inside ("encoder/dense") are not meant.
        exclude: which layers to leave alone: names and classes, one class, or a function.
        skip_ends: leave the first and the last layer alone that could be pruned, as many papers do: they
            are small, and a network suffers most from zeros there.
        granularity: what shall go together; weights that it cannot be used on are left alone.

    Returns:
        The weights, and (layer name, reason) of each layer with weights that is left alone.

    Raises:
        ConfigError: a name or class is unknown, a function fails, the policy finds nothing that its
            target can use, or nothing is left to prune.
        ModelError: the model is not a built Keras 3 model, or a weight holds NaN.

    Example:
        >>> weights, skipped = choose_weights(model, layers=keras.layers.Conv2D, exclude=["stem"])
    """
    check_model(model)
    found, skipped = find_weights(model)
    reasons = left_alone(model, found, skipped, layers, exclude, skip_ends=skip_ends)

    def unfit(weight: PrunableWeight) -> str | None:
        return None if granularity is None else granularity.refuses(weight.shape, weight.axis)

    return chosen_by_reasons(model, found, skipped, reasons, PRUNING, unfit)


def left_alone(
    model: keras.Model,
    found: Sequence[PrunableWeight],
    skipped: Sequence[tuple[str, str]],
    layers: Where | Policy | None,
    exclude: Where,
    *,
    skip_ends: bool,
) -> list[Reason]:
    """Returns functions that say why a weight that could be pruned was not asked for (None: it was).

    Args:
        model: the model.
        found: its prunable weights.
        skipped: its other layers with weights, each with the reason.
        layers: see `choose_weights`, as for the others.
        exclude: layers to leave alone.
        skip_ends: leave the first and the last layer alone.

    Raises:
        ConfigError: see `choose_weights`.
    """
    if isinstance(exclude, Policy):
        raise ConfigError("exclude cannot be a policy; give it as layers, since it says what to prune.")
    if not isinstance(layers, Policy):
        return asked_for(model, found, skipped, layers, exclude, PRUNING, skip_ends=skip_ends)
    reasons = asked_for(model, found, skipped, None, exclude, PRUNING, skip_ends=skip_ends)
    return [_by_policy(layers, model, found), *reasons]


def _by_policy(policy: Policy, model: keras.Model, found: Sequence[PrunableWeight]) -> Reason:
    """Returns a function that says why a policy leaves a weight alone."""
    choice = chosen_by(policy, model)
    kind = type(policy).__name__
    known = {weight.layer for weight in found}
    for name in choice.layers:
        if name not in known:
            raise ConfigError(
                f"{kind} chose {name!r}, but the model {model.name!r} has no prunable layer of that name."
                f"{nearest(str(name), known)}"
            )
    told = dict(choice.reasons)
    fallback = f"{kind} does not choose it"
    return lambda weight: None if weight.layer in choice.layers else told.get(weight.layer, fallback)


def unmet(
    names: Iterable[str], chosen: Sequence[PrunableWeight], skipped: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """Says, a sentence each, which of the layers that were asked for by name are left alone, and why."""
    here = [weight.layer for weight in chosen]
    paths = paths_of([*here, *(layer for layer, _ in skipped)])
    told = []
    for name in names:
        if not any(goes_by(layer, name, paths) for layer in here):
            whys = [why for layer, why in skipped if goes_by(layer, name, paths)]
            told.append(f"layer {name!r} was asked for, but is left alone: {'; '.join(dict.fromkeys(whys))}")
    return tuple(told)
