"""How to cluster: the arguments, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trimtab.clustering._initial import INITS
from trimtab.errors import ConfigError, nearest
from trimtab.training._sharing_optimizer import GRADIENTS

__all__ = ["LARGEST", "PER", "ClusteringOptions"]

PER = ("layer", "channel")
LARGEST = 256
"""The most clusters: an int8 file tells no more values apart."""


@dataclass(frozen=True)
class ClusteringOptions:
    """What `cluster` was asked for; see there for what each means.

    Raises:
        ConfigError: a value makes no sense.
    """

    clusters: int = 16
    init: str = "kmeans++"
    per: str = "layer"
    keep_zeros: bool = True
    gradients: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        whole = hasattr(self.clusters, "__index__") and not isinstance(self.clusters, bool)
        if not whole or not 2 <= self.clusters <= LARGEST:
            raise ConfigError(
                f"clusters={self.clusters!r} must be a whole number from 2 to {LARGEST}: how many different "
                "values a layer may have, such as 16."
            )
        _one_of("init", self.init, INITS)
        _one_of("per", self.per, PER)
        if self.gradients is not None:
            _one_of("gradients", self.gradients, GRADIENTS)
        if not isinstance(self.keep_zeros, bool):
            raise ConfigError(f"keep_zeros={self.keep_zeros!r} must be True or False.")
        object.__setattr__(self, "clusters", int(self.clusters))

    def sharing(self, optimizer: str) -> str:
        """Returns how gradients are shared under an optimizer: as asked for, or what suits it."""
        return self.gradients or ("mean" if optimizer == "sgd" else "sum")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuses what is not one of the known words."""
    if value not in known:
        hint = nearest(value, known) if isinstance(value, str) else ""
        raise ConfigError(f"{name}={value!r} is not known; it must be one of {', '.join(known)}.{hint}")
