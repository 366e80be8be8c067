"""How sparse a model shall become: one share for all, one for each of some layers, or as a schedule says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.errors import ConfigError
from trimtab.pruning._fraction import check_fraction
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.schedules._schedule import Schedule

__all__ = ["Goal", "goal"]

_DEFAULT = 0.8


@dataclass(frozen=True)
class Goal:
    """What is asked for.

    Attributes:
        share: share of zeros of each weight, or of all together (ranking "global"); beside targets the
            largest of them; None: the zeros that are there.
        targets: share of zeros of each layer; None: `share` for all.
    """

    share: float | None
    targets: dict[str, float] | None = None


def goal(
    sparsity: float | Mapping[str, float] | None, schedule: Schedule | None, criterion: Criterion, layers: Any
) -> Goal:
    """Returns what is asked for, or says why it makes no sense.

    Args:
        sparsity: one share of zeros, one for each layer, or None: 0.8, or what granularity or schedule say.
        schedule: the schedule, where one was given as such; it says itself what it ends with.
        criterion: which weights go.
        layers: the layers asked for.

    Raises:
        ConfigError: a share is out of range, or contradicts the schedule, the granularity or the ranking.
    """
    if isinstance(sparsity, Mapping):
        return _for_layers(sparsity, schedule, criterion, layers)
    if sparsity is not None:
        check_fraction("sparsity", sparsity)
    pattern = criterion.granularity.pattern_from
    if schedule is None:
        usual = _DEFAULT if pattern is None else pattern
        share: float | None = float(usual if sparsity is None else sparsity)
    else:
        share = schedule.target
        if sparsity is not None and (share is None or abs(sparsity - share) > 1e-6):
            ends = "asks for no sparsity of its own" if share is None else f"ends at {share:g}"
            raise ConfigError(
                f"sparsity={sparsity!r} is given beside {schedule!r}, which {ends}. Leave sparsity out."
            )
    if share is not None:
        _check_pattern(share, criterion)
    return Goal(share)


def _for_layers(
    sparsity: Mapping[str, float], schedule: Schedule | None, criterion: Criterion, layers: Any
) -> Goal:
    """Returns the targets of single layers; layers with a target of 0 are left alone."""
    if layers is not None:
        raise ConfigError(
            "sparsity names the layers to prune, and layers does too. Leave layers out, or give one sparsity."
        )
    if criterion.ranking == "global":
        raise ConfigError(
            "ranking='global' finds out by itself how far each layer goes. Give one sparsity for all layers "
            "together, or use ranking='layer'."
        )
    if schedule is not None and not schedule.target:
        raise ConfigError(
            f"Targets of single layers follow a schedule that climbs, but {schedule!r} asks for no sparsity."
        )
    for name, share in sparsity.items():
        if not isinstance(name, str):
            raise ConfigError(f"sparsity maps names of layers to shares of zeros, but {name!r} is no name.")
        check_fraction(f"sparsity of layer {name!r}", share)
    targets = {name: float(share) for name, share in sparsity.items() if share}
    if not targets:
        raise ConfigError(
            "sparsity names no layer with a share of zeros above 0, so nothing would be pruned. "
            "Give for example {'dense': 0.9}."
        )
    for share in targets.values():
        _check_pattern(share, criterion)
    return Goal(max(targets.values()), targets)


def _check_pattern(share: float, criterion: Criterion) -> None:
    """Raises `ConfigError` where a pattern (of N:M) is asked for with a sparsity that it does not have."""
    pattern = criterion.granularity.pattern_from
    if pattern is not None and abs(share - pattern) > 1e-6:
        raise ConfigError(
            f"The granularity {criterion.granularity.name} makes a share of {pattern:.6g} of the weights "
            f"zero, but a sparsity of {share:.6g} is asked for. Leave it out, or choose another granularity."
        )
