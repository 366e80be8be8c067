"""Clustering: a few different values for all weights of a layer, in an ordinary Keras model.

`cluster` does all of it. Its parts serve a training of one's own::

    from trimtab.clustering import SharingOptimizer, keep_clusters

    model.compile(SharingOptimizer(keras.optimizers.Adam(1e-4)), loss=...)  # equal weights stay equal
    trimtab.train(model, data, epochs=2, wrap_optimizer=keep_clusters(model))
"""

from __future__ import annotations

from trimtab.clustering._cluster import cluster
from trimtab.clustering._kmeans import Clusters, kmeans
from trimtab.clustering._result import ClusteringResult
from trimtab.clustering._table import LayerClusters, clusters_table, weights_gzip
from trimtab.training._keep_clusters import keep_clusters
from trimtab.training._shared_weight import SharedWeight
from trimtab.training._sharing_optimizer import SharingOptimizer

__all__ = [
    "ClusteringResult",
    "Clusters",
    "LayerClusters",
    "SharedWeight",
    "SharingOptimizer",
    "cluster",
    "clusters_table",
    "keep_clusters",
    "kmeans",
    "weights_gzip",
]
