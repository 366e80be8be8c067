"""Pruning: zeros for the weights that matter least, in an ordinary Keras model.

`prune` does all of it. Its parts serve a training of one's own::

    from trimtab.pruning import PolynomialSparsity, PruningOptimizer

    schedule = PolynomialSparsity(initial=0.0, final=0.8, begin=0, end=2000)
    model.compile(PruningOptimizer.for_model(model, keras.optimizers.Adam(1e-3), schedule), loss=...)
    model.fit(...)  # the model's own weights hold the zeros; there is nothing to strip
"""

from __future__ import annotations

from trimtab.pruning._mask import magnitude_mask
from trimtab.pruning._optimizer import PruningOptimizer
from trimtab.pruning._prunable import prunable_weights
from trimtab.pruning._prune import PruningResult, prune
from trimtab.pruning._schedule import ConstantSparsity, KeepZeros, PolynomialSparsity, Schedule
from trimtab.pruning._sparsity import LayerSparsity, sparsity_table

__all__ = [
    "ConstantSparsity",
    "KeepZeros",
    "LayerSparsity",
    "PolynomialSparsity",
    "PruningOptimizer",
    "PruningResult",
    "Schedule",
    "magnitude_mask",
    "prunable_weights",
    "prune",
    "sparsity_table",
]
