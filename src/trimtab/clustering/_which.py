"""Which weights are clustered."""

from __future__ import annotations

from typing import Any

import keras

from trimtab.clustering._options import ClusteringOptions
from trimtab.clustering._shared_values import row_length
from trimtab.models._kernels import PrunableWeight, Technique, check_model, find_weights
from trimtab.models._where import Where, asked_for, chosen_by_reasons

__all__ = ["CLUSTERING", "chosen_weights"]

CLUSTERING = Technique("cluster", "clustered", "clusterable")


def chosen_weights(
    model: keras.Model, layers: Where | None, exclude: Where, skip_ends: bool, options: ClusteringOptions
) -> tuple[list[PrunableWeight], list[tuple[str, str]]]:
    """Chooses the weights to cluster, and says why other layers with weights are left alone.

    A weight that has no more numbers than clusters (a channel, where each channel has its own) is left alone:
    nothing would be shared.

    Args:
        model: a built Keras 3 model.
        layers: which layers, see `trimtab.cluster`, as for the others.
        exclude: which layers to leave alone.
        skip_ends: leave the first and the last one alone.
        options: how to cluster.

    Raises:
        ConfigError: a name or class is unknown, a function fails, or nothing is left to cluster.
        ModelError: it is no built Keras 3 model, or a weight holds NaN.
    """
    check_model(model)
    found, skipped = find_weights(model, CLUSTERING)
    reasons = asked_for(model, found, skipped, layers, exclude, CLUSTERING, skip_ends=skip_ends)

    def unfit(weight: PrunableWeight) -> str | None:
        layer: Any = weight.around[-1]
        length = row_length(weight.shape, layer, weight.name, options.per)
        if length > options.clusters:
            return None
        where = " in a channel" if options.per == "channel" else ""
        return f"its {weight.name} has {length} numbers{where}, not more than {options.clusters} clusters"

    return chosen_by_reasons(model, found, skipped, reasons, CLUSTERING, unfit)
