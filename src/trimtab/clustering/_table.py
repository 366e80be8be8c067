"""What clusters there are in a model, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from trimtab._compression import gzipped
from trimtab.clustering._which import CLUSTERING
from trimtab.models._kernels import PrunableWeight, as_numpy, check_model, find_weights

__all__ = ["LayerClusters", "clusters_table", "counted", "entropy", "weights_gzip"]


@dataclass(frozen=True)
class LayerClusters:
    """The different values in one weight of one layer.

    Args:
        name: the layer; inside nested models ``"outer/inner"``.
        weight: the weight inside the layer, such as ``"kernel"``.
        shape: its shape.
        size: how many numbers it holds.
        clusters: how many different values these have, zero included.
        zeros: how many of them are zero.
        bits: Shannon entropy in bits a number: no code that writes down number by number needs fewer.
        error: root of the mean square of what clustering changed, over that of the weight, before it was
            trained on; None where nobody clustered it just now.
    """

    name: str
    weight: str
    shape: tuple[int, ...]
    size: int
    clusters: int
    zeros: int
    bits: float
    error: float | None = None


def clusters_table(model: keras.Model) -> tuple[LayerClusters, ...]:
    """Counts the different values in each kernel of a model, clustered or not.

    Args:
        model: a built Keras 3 model.

    Raises:
        ModelError: it is no built Keras 3 model.

    Example:
        >>> for row in clusters_table(model):
        ...     print(row.name, row.clusters, row.bits)
    """
    check_model(model)
    return counted(find_weights(model, CLUSTERING)[0])


def counted(
    weights: Sequence[PrunableWeight], errors: Mapping[int, float] | None = None
) -> tuple[LayerClusters, ...]:
    """Counts the different values of weights.

    Args:
        weights: where they are.
        errors: by the id of a weight's variable, what clustering changed.
    """
    rows = []
    for weight in weights:
        values, counts = np.unique(as_numpy(weight.variable), return_counts=True)
        shares = counts / weight.size
        rows.append(
            LayerClusters(
                weight.layer,
                weight.name,
                weight.shape,
                weight.size,
                len(values),
                int(counts[values == 0].sum()),
                float(-(shares * np.log2(shares)).sum()) + 0.0,
                (errors or {}).get(id(weight.variable)),
            )
        )
    return tuple(rows)


def entropy(rows: Sequence[LayerClusters]) -> float:
    """Returns the mean entropy in bits of all numbers together."""
    return sum(row.bits * row.size for row in rows) / sum(row.size for row in rows)


def weights_gzip(model: keras.Model) -> int:
    """Returns the gzipped bytes of all weights of a model, one after the other, as they are in memory.

    A float file of the model compresses to about that, besides what is no weight. It takes a second for
    each few megabytes.
    """
    return len(gzipped(b"".join(np.asarray(ops.convert_to_numpy(w.value)).tobytes() for w in model.weights)))
