"""Who proposes settings, and the rule by which a trial is hopeless: Optuna's, by our words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["MedianRule", "Sampler", "pruner_of", "sampler_of"]

Sampler = Literal["tpe", "nsga2", "random"]


@dataclass(frozen=True)
class MedianRule:
    """Says when a trial is hopeless: its best is below the median of the others at the same step.

    Args:
        startup: trials that must have ended before anything is cut short.
        warmup: steps of each trial that are never the last.
    """

    startup: int = 4
    warmup: int = 1


def sampler_of(optuna: Any, name: Sampler, seed: int, constraints: Sequence[str]) -> Any:
    """Returns Optuna's sampler of a name.

    Args:
        optuna: the module.
        name: see `open_study`.
        seed: all its randomness.
        constraints: names of facts that are 0 or less where a trial keeps to its limits.
    """
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    limits = _limits(constraints) if constraints else None
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed, constraints_func=limits)
    # Jointly over all dimensions, in groups where some matter only sometimes; what is still running counts
    # as bad, so that workers side by side do not all try the same.
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True, constant_liar=True, constraints_func=limits
    )


def pruner_of(optuna: Any, rule: MedianRule | None) -> Any:
    """Returns Optuna's rule for hopeless trials."""
    if rule is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(
        # Optuna counts steps from 0, epochs are counted from 1.
        n_startup_trials=rule.startup,
        n_warmup_steps=rule.warmup + 1,
        n_min_trials=2,
    )


def _limits(constraints: Sequence[str]) -> Callable[[Any], list[float]]:
    """Returns what reads the facts that say by how much a trial is beyond its limits."""

    def read(trial: Any) -> list[float]:
        return [float(trial.user_attrs.get(name) or 0.0) for name in constraints]

    return read
