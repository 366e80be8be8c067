"""What clustering gave: the model, and its clusters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trimtab.clustering._table import LayerClusters
from trimtab.training import History

__all__ = ["ClusteringResult"]


@dataclass(frozen=True)
class ClusteringResult:
    """What clustering gave.

    Args:
        model: the clustered model, an ordinary Keras model of its own.
        layers: the different values of each weight that was clustered.
        skipped: layers with weights that were left alone, each with the reason.
        history: the training with shared weights; no epochs where there was none.
        notes: plain sentences about what was done.
        clusters: how many different values were asked for, zero included.
        init: where the centroids started.
        per: what has centroids of its own: "layer" or "channel".
        gradients: how gradients were shared: "sum" or "mean".
        bits: entropy of the clustered weights, in bits a number.
        gzip_before: gzipped bytes of all weights of the model that was given, as they are in memory; None
            where they are too large to weigh in passing: `trimtab.clustering.weights_gzip` takes its time.
        gzip_after: the same of the clustered model.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    layers: tuple[LayerClusters, ...]
    skipped: tuple[tuple[str, str], ...]
    history: History
    notes: tuple[str, ...] = ()
    clusters: int = 16
    init: str = "kmeans++"
    per: str = "layer"
    gradients: str = "sum"
    bits: float = 0.0
    gzip_before: int | None = None
    gzip_after: int | None = None
