"""Which weights may be pruned: the kernels of dense, convolutional and recurrent layers.

Other techniques work on the same ones; how they are found is in `trimtab.models._kernels`.
"""

from __future__ import annotations

import keras

from trimtab.models import _kernels
from trimtab.models._kernels import (
    PrunableWeight,
    Technique,
    as_numpy,
    check_model,
    input_axis,
    prunable_weights,
)

__all__ = [
    "PRUNING",
    "PrunableWeight",
    "as_numpy",
    "check_model",
    "find_weights",
    "input_axis",
    "prunable_weights",
]

PRUNING = Technique("prune", "pruned", "prunable")


def find_weights(model: keras.Model) -> tuple[list[PrunableWeight], list[tuple[str, str]]]:
    """Finds each weight of a model that may be pruned, and (layer name, reason) of layers without any."""
    return _kernels.find_weights(model, PRUNING)
