"""Pruning: zeros for the weights that matter least, in an ordinary Keras model.

`prune` does all of it. Its parts serve a training of one's own::

    from trimtab.pruning import PolynomialSparsity, PruningOptimizer

    schedule = PolynomialSparsity(initial=0.0, final=0.8, begin=0, end=2000)
    model.compile(PruningOptimizer.for_model(model, keras.optimizers.Adam(1e-3), schedule), loss=...)
    model.fit(...)  # the model's own weights hold the zeros; there is nothing to strip
"""

from __future__ import annotations

from trimtab.pruning._prune import prune
from trimtab.pruning._result import PruningResult, PruningRound
from trimtab.pruning.criteria._blocks import Blocks
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._granularity import Granularity, Unstructured
from trimtab.pruning.criteria._granularity_name import granularity
from trimtab.pruning.criteria._importance import (
    FunctionImportance,
    Importance,
    Magnitude,
    Random,
    Taylor,
    importance,
)
from trimtab.pruning.criteria._mask import magnitude_mask
from trimtab.pruning.criteria._n_of_m import NM
from trimtab.pruning.optimizer._keep_zeros import keep_zeros
from trimtab.pruning.optimizer._optimizer import PruningOptimizer
from trimtab.pruning.optimizer._strip import strip
from trimtab.pruning.optimizer._summaries import PruningSummaries
from trimtab.pruning.optimizer._weight_state import WeightState
from trimtab.pruning.scanning._sensitivity import LayerSensitivity, Sensitivity, SensitivityPoint, sensitivity
from trimtab.pruning.scanning._taylor import taylor_scores
from trimtab.pruning.schedules._schedule import ConstantSparsity, KeepZeros, PolynomialSparsity, Schedule
from trimtab.pruning.schedules._stepwise import IterativeSparsity, OneShotSparsity, TabulatedSparsity
from trimtab.pruning.sparsity._mask_file import LayerMask, Masks, apply_masks, load_masks, save_masks
from trimtab.pruning.sparsity._sparsity import (
    LayerSparsity,
    SparsitySummary,
    sparsity_summary,
    sparsity_table,
)
from trimtab.pruning.where._layer_types import layer_types
from trimtab.pruning.where._policy import Policy, PolicyChoice
from trimtab.pruning.where._prunable import input_axis, prunable_weights
from trimtab.pruning.where._xnnpack import ForXNNPACK

__all__ = [
    "NM",
    "Blocks",
    "ConstantSparsity",
    "Criterion",
    "ForXNNPACK",
    "FunctionImportance",
    "Granularity",
    "Importance",
    "IterativeSparsity",
    "KeepZeros",
    "LayerMask",
    "LayerSensitivity",
    "LayerSparsity",
    "Magnitude",
    "Masks",
    "OneShotSparsity",
    "Policy",
    "PolicyChoice",
    "PolynomialSparsity",
    "PruningOptimizer",
    "PruningResult",
    "PruningRound",
    "PruningSummaries",
    "Random",
    "Schedule",
    "Sensitivity",
    "SensitivityPoint",
    "SparsitySummary",
    "TabulatedSparsity",
    "Taylor",
    "Unstructured",
    "WeightState",
    "apply_masks",
    "granularity",
    "importance",
    "input_axis",
    "keep_zeros",
    "layer_types",
    "load_masks",
    "magnitude_mask",
    "prunable_weights",
    "prune",
    "save_masks",
    "sensitivity",
    "sparsity_summary",
    "sparsity_table",
    "strip",
    "taylor_scores",
]
