"""How many weights of a model are zero, layer by layer and in all, beside what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras

from trimtab.errors import ConfigError, nearest
from trimtab.pruning._fraction import check_fraction
from trimtab.pruning.criteria._granularity import Granularity, Unstructured
from trimtab.pruning.criteria._granularity_name import granularity as made
from trimtab.pruning.sparsity._pattern import zeros_in_pattern
from trimtab.pruning.where._prunable import PrunableWeight, check_model, find_weights
from trimtab.pruning.where._where import Where, is_named, left_alone, own_target, paths_of

if TYPE_CHECKING:
    from trimtab.pruning.where._policy import Policy

__all__ = ["LayerSparsity", "SparsitySummary", "measured", "sparsity_summary", "sparsity_table"]


@dataclass(frozen=True)
class LayerSparsity:
    """The zeros in one weight of one layer.

    Args:
        name: the layer; inside nested models ``"outer/inner"``.
        weight: the weight inside the layer, such as ``"kernel"``.
        size: how many numbers it holds.
        zeros: how many of them are zero.
        asked: share of zeros that was asked for; None where nothing was.
        goal: number of zeros that `asked` means for this weight; None where it is not known. The weights
            that stay are counted, rounded half to even, and at least one of them stays.
        shape: its dimensions; None where they are not known.
        pattern: for blocks, the share of them that is wholly zero; for N:M, the share of groups along the
            inputs with at most N numbers that are not zero; None for single weights.
        fitting: how many zeros lie in that pattern, and so count for the goal; None: all of them.
        frozen: whether the weight is not trained, and so would not be pruned.
    """

    name: str
    weight: str
    size: int
    zeros: int
    asked: float | None = None
    goal: int | None = None
    shape: tuple[int, ...] | None = None
    pattern: float | None = None
    fitting: int | None = None
    frozen: bool = False

    @property
    def sparsity(self) -> float:
        """Share of zeros that is there."""
        return self.zeros / self.size

    @property
    def counted(self) -> int:
        """How many zeros count for the goal: those in the pattern, or all where there is none."""
        return self.zeros if self.fitting is None else self.fitting

    @property
    def missing(self) -> int:
        """How many zeros are missing to what was asked for; 0 where none are."""
        goal = self.goal
        if goal is None and self.asked is not None:
            goal = Unstructured().zeros((self.size,), None, self.asked)
        return max((goal or 0) - self.counted, 0)


@dataclass(frozen=True)
class SparsitySummary:
    """The zeros of all weights that may be pruned, beside what was asked for.

    Args:
        layers: one row for each weight.
        size: how many numbers they hold together.
        zeros: how many of them are zero.
        asked: share of zeros that was asked for, among the weights that it was asked for; None: nothing was.
        goal: how many zeros that is; None: nothing was asked for.
        ranking: "layer": each weight has a goal of its own; "global": only the total counts.
    """

    layers: tuple[LayerSparsity, ...]
    size: int
    zeros: int
    asked: float | None = None
    goal: int | None = None
    ranking: str = "layer"

    @property
    def sparsity(self) -> float:
        """Share of zeros that is there."""
        return self.zeros / self.size if self.size else 0.0

    @property
    def missed(self) -> tuple[str, ...]:
        """Says, a sentence each, which goals were missed and by how much; empty where all were met."""
        if self.ranking == "layer":
            return tuple(
                _missed(f"{row.name}/{row.weight}", row.zeros, row.counted, row.missing, row.size, row.asked)
                for row in self.layers
                if row.missing
            )
        asked = [row for row in self.layers if row.asked is not None]
        have = sum(row.counted for row in asked)
        if self.goal is None or have >= self.goal:
            return ()
        zeros, size = sum(row.zeros for row in asked), sum(row.size for row in asked)
        return (_missed("the model", zeros, have, self.goal - have, size, self.asked),)


def sparsity_table(
    model: keras.Model,
    target: float | Mapping[str, float] | None = None,
    *,
    layers: Where | Policy | None = None,
    exclude: Where = (),
    skip_ends: bool = False,
    granularity: str | Granularity | None = None,
) -> tuple[LayerSparsity, ...]:
    """Counts the zeros in each weight of a model that may be pruned, beside those that were asked for.

    A frozen layer is left alone by `prune`, so nothing is asked of it here, unless it is named itself or
    the whole model is frozen.

    Args:
        model: a built Keras 3 model.
        target: share of zeros that was asked for, in [0, 1): of each weight, or by layer name. None: nothing.
        layers: the layers it was asked for, as for `prune`; None: all. The others are in the table too.
        exclude: layers that it was not asked for.
        skip_ends: whether the first and the last layer were left alone.
        granularity: what was pruned together, such as "4x1" or "2:4"; only zeros that lie in its blocks or
            in its pattern count for the goal then. None: single weights.

    Returns:
        One row for each such weight, in the order of the layers.

    Raises:
        ConfigError: the target is no share of zeros, a layer name is unknown, or both `target` and `layers`
            name layers.
        ModelError: the model is not a built Keras 3 model.

    Example:
        >>> [(row.name, row.sparsity) for row in sparsity_table(model, target=0.8) if row.missing]
    """
    check_model(model)
    found, skipped = find_weights(model)
    targets = _targets(target)
    if isinstance(targets, dict):
        if layers is not None:
            raise ConfigError(
                "target names the layers it was asked for, and layers does too. Leave layers out, or give "
                "one target."
            )
        layers = list(targets)
    units = Unstructured() if granularity is None else made(granularity)
    reasons = left_alone(model, found, skipped, layers, exclude, skip_ends=skip_ends)
    reasons.append(lambda weight: units.refuses(weight.shape, weight.axis))
    trained = {id(variable) for variable in model.trainable_variables}
    frozen = [id(weight.variable) not in trained for weight in found]
    named = {str(item) for item in layers if isinstance(item, str)} if isinstance(layers, Iterable) else set()
    paths = paths_of([*(weight.layer for weight in found), *(name for name, _ in skipped)])
    asked = []
    for weight, still in zip(found, frozen, strict=True):
        left = still and not all(frozen) and not is_named(weight.layer, named, paths)
        none = left or any(why(weight) for why in reasons)
        asked.append(None if none else _target_of(weight.layer, targets, paths))
    rows = measured(found, asked, units)
    return tuple(replace(row, frozen=still) for row, still in zip(rows, frozen, strict=True))


def sparsity_summary(rows: Sequence[LayerSparsity], ranking: str = "layer") -> SparsitySummary:
    """Adds up a sparsity table, and says whether its goals were met.

    Args:
        rows: what `sparsity_table` gave.
        ranking: "layer" where each weight had to reach its goal; "global" where all together had to.

    Raises:
        ConfigError: `ranking` is neither.

    Example:
        >>> summary = sparsity_summary(sparsity_table(model, target=0.8))
        >>> print(f"{summary.sparsity:.1%} zeros", *summary.missed, sep="; ")
    """
    if ranking not in ("layer", "global"):
        hint = nearest(ranking, ("layer", "global")) if isinstance(ranking, str) else ""
        raise ConfigError(f"ranking={ranking!r} is not known; it must be 'layer' or 'global'.{hint}")
    asked = [row for row in rows if row.asked is not None]
    goal = sum(row.counted + row.missing if row.goal is None else row.goal for row in asked)
    size = sum(row.size for row in asked)
    share = sum((row.asked or 0.0) * row.size for row in asked) / size if size else None
    if ranking == "global" and share is not None:
        # Rounded once, and not layer by layer.
        goal = min(goal, Unstructured().zeros((size,), None, share))
    return SparsitySummary(
        layers=tuple(rows),
        size=sum(row.size for row in rows),
        zeros=sum(row.zeros for row in rows),
        asked=share,
        goal=goal if asked else None,
        ranking=ranking,
    )


def measured(
    weights: Sequence[PrunableWeight],
    asked: Sequence[float | None] | None = None,
    granularity: Granularity | None = None,
) -> tuple[LayerSparsity, ...]:
    """Counts the zeros in each of `weights`, beside the share that was asked for and what it means."""
    units = granularity or Unstructured()
    rows = []
    for weight, share in zip(weights, asked or [None] * len(weights), strict=True):
        fits = units.refuses(weight.shape, weight.axis) is None
        goal = None if share is None else units.zeros(weight.shape, weight.axis, share)
        fitting, pattern = (zeros_in_pattern(weight, units) if fits else None) or (None, None)
        rows.append(
            LayerSparsity(
                weight.layer,
                weight.name,
                weight.size,
                weight.zeros(),
                share,
                goal,
                weight.shape,
                pattern,
                fitting,
            )
        )
    return tuple(rows)


def _missed(what: str, zeros: int, counted: int, missing: int, size: int, asked: float | None) -> str:
    """Says how far a goal was missed."""
    strewn = f", of which only {counted:,} lie in the pattern" if counted < zeros else ""
    return (
        f"{what} has {zeros:,} zeros of {size:,} ({zeros / size:.1%}){strewn}, {missing:,} fewer than the "
        f"{asked or 0:.1%} asked for"
    )


def _targets(target: Any) -> float | dict[str, float] | None:
    """Returns the shares asked for; raises `ConfigError` where one is none."""
    if target is None:
        return None
    if not isinstance(target, Mapping):
        return check_fraction("target", target)
    if not target:
        raise ConfigError("target names no layer. Give for example {'dense': 0.9}, or one share of zeros.")
    for name in target:
        if not isinstance(name, str):
            raise ConfigError(f"target maps names of layers to shares of zeros, but {name!r} is no name.")
    return {name: check_fraction(f"target of layer {name!r}", share) for name, share in target.items()}


def _target_of(layer: str, targets: float | dict[str, float] | None, paths: Collection[str]) -> float | None:
    """Returns the share asked for of one layer."""
    return own_target(layer, targets, paths) if isinstance(targets, dict) else targets
