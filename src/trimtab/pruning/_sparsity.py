"""How many weights of a model are zero, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from trimtab.pruning._prunable import PrunableWeight, check_model, find_weights

__all__ = ["LayerSparsity", "measured", "sparsity_table"]


@dataclass(frozen=True)
class LayerSparsity:
    """The zeros in one weight of one layer.

    Args:
        name: the layer; inside nested models ``"outer/inner"``.
        weight: the weight inside the layer, such as ``"kernel"``.
        size: how many numbers it holds.
        zeros: how many of them are zero.
        asked: share of zeros that was asked for; None where nothing was.
    """

    name: str
    weight: str
    size: int
    zeros: int
    asked: float | None = None

    @property
    def sparsity(self) -> float:
        """Share of zeros that is there."""
        return self.zeros / self.size


def sparsity_table(model: keras.Model) -> tuple[LayerSparsity, ...]:
    """Counts the zeros in each weight of a model that may be pruned.

    Args:
        model: a built Keras 3 model.

    Returns:
        One row for each such weight, in the order of the layers.

    Raises:
        ModelError: the model is not a built Keras 3 model.
    """
    check_model(model)
    return measured(find_weights(model)[0])


def measured(
    weights: Sequence[PrunableWeight], asked: Sequence[float] | None = None
) -> tuple[LayerSparsity, ...]:
    """Counts the zeros in each of `weights`, beside the share that was asked for."""
    wanted: Sequence[float | None] = asked if asked is not None else [None] * len(weights)
    return tuple(
        LayerSparsity(weight.layer, weight.name, weight.size, weight.zeros(), share)
        for weight, share in zip(weights, wanted, strict=True)
    )
