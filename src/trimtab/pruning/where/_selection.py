"""Which weights an optimizer shall prune, and what was asked for each of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from trimtab.errors import ConfigError, nearest
from trimtab.pruning._fraction import check_fraction
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._importance import Importance
from trimtab.pruning.where._prunable import PrunableWeight
from trimtab.pruning.where._where import choose_weights, own_target, paths_of

__all__ = ["Selected", "select"]


@dataclasses.dataclass(frozen=True, eq=False)
class Selected:
    """A weight to prune.

    Attributes:
        variable: the weight.
        axis: its input-channel axis; None: it has none, or it is not known.
        target: the final sparsity of its own; None: that of the schedule.
        scores: how important each of its numbers is when training begins; None: not known.
    """

    variable: Any
    axis: int | None = None
    target: float | None = None
    scores: np.ndarray | None = None


def select(
    model: keras.Model,
    layers: Any = None,
    exclude: Any = (),
    *,
    skip_ends: bool = False,
    criterion: Criterion,
    targets: Mapping[str, float] | None = None,
    initial_scores: Sequence[Any] | None = None,
) -> tuple[Selected, ...]:
    """Chooses the weights of a model to prune, with the target and the first scores of each.

    Args:
        model: a built Keras 3 model.
        layers: the layers to prune, see `choose_weights`. None: those that `targets` names, or else all.
        exclude: layers to leave alone.
        skip_ends: whether to leave the first and the last of them alone.
        criterion: what goes together, and whether the importance of a weight remembers scores.
        targets: layer name -> its final sparsity.
        initial_scores: one array for each weight that is chosen, in that order.

    Raises:
        ConfigError: a layer name is unknown, nothing is left to prune, or a target or score makes no sense.
        ModelError: the model is not a built Keras 3 model, or a weight holds NaN.
    """
    granularity = criterion.granularity
    finals = None if targets is None else _checked_targets(targets)
    if finals is not None:
        choose_weights(model, list(finals), exclude, granularity=granularity)  # refuses unknown names
        layers = list(finals) if layers is None else layers
    chosen, skipped = choose_weights(model, layers, exclude, skip_ends=skip_ends, granularity=granularity)
    scores = _checked_scores(chosen, initial_scores, criterion.importance)
    paths = paths_of([*(weight.layer for weight in chosen), *(name for name, _ in skipped)])
    return tuple(
        Selected(
            weight.variable,
            weight.axis,
            None if finals is None else _target(weight, finals, paths),
            score,
        )
        for weight, score in zip(chosen, scores, strict=True)
    )


def _checked_targets(targets: Any) -> dict[str, float]:
    """Returns the targets as floats; raises `ConfigError` unless they are shares of named layers."""
    if not isinstance(targets, Mapping) or not targets:
        raise ConfigError(
            f"targets needs layer names with a sparsity each, such as {{'dense': 0.9}}, but got {targets!r}."
        )
    return {
        str(name): check_fraction(f"The target of layer {name!r}", share) for name, share in targets.items()
    }


def _target(weight: PrunableWeight, targets: Mapping[str, float], paths: Collection[str]) -> float:
    """Returns the target of a weight: that of the most exact name it goes by."""
    target = own_target(weight.layer, targets, paths)
    if target is not None:
        return target
    raise ConfigError(
        f"targets has no sparsity for layer {weight.layer!r}, which is to be pruned."
        f"{nearest(weight.layer, targets)} Give it one, or leave the layer out."
    )


def _checked_scores(
    chosen: Sequence[PrunableWeight], scores: Any, importance: Importance
) -> list[np.ndarray | None]:
    """Returns one array for each weight; raises `ConfigError` where the scores cannot be theirs."""
    if scores is None:
        return [None] * len(chosen)
    if not importance.remembers:
        raise ConfigError(
            "initial_scores are for an importance that remembers, such as 'taylor'; "
            f"{importance.name!r} makes its own. Leave them out."
        )
    if len(scores) != len(chosen):
        raise ConfigError(
            f"initial_scores has {len(scores)} arrays, but {len(chosen)} weights will be pruned: give one "
            "for each, in the order of the layers (taylor_scores with the same weights)."
        )
    arrays: list[np.ndarray | None] = []
    for weight, score in zip(chosen, scores, strict=True):
        array = np.asarray(score)
        wanted = tuple(weight.variable.shape)
        if array.shape != wanted or not np.issubdtype(array.dtype, np.number):
            raise ConfigError(
                f"initial_scores of {weight.layer}/{weight.name} must be numbers of shape {wanted}, but are "
                f"{array.dtype} of shape {array.shape}."
            )
        if not (np.isfinite(array) & (array >= 0)).all():
            raise ConfigError(
                f"initial_scores of {weight.layer}/{weight.name} hold numbers below 0, infinite or NaN; a "
                "score is 0 or more."
            )
        arrays.append(array)
    return arrays
