"""Channel pruning: which channels matter least, how many must go, and the smaller model trained on."""

from __future__ import annotations

from trimtab.channel_pruning._batch_norm_scale import BNScale
from trimtab.channel_pruning._chosen import Costs, Selection
from trimtab.channel_pruning._explanation import Explanation, GroupExplanation, Saving, explain
from trimtab.channel_pruning._geometric_median import FPGM
from trimtab.channel_pruning._group_lasso import GroupLasso
from trimtab.channel_pruning._importance import ChannelFunction, ChannelImportance
from trimtab.channel_pruning._importance_check import check_channel_importance
from trimtab.channel_pruning._importance_name import channel_importance
from trimtab.channel_pruning._norms import L1, L2
from trimtab.channel_pruning._optimizer_state import carry_optimizer
from trimtab.channel_pruning._probe import Probes
from trimtab.channel_pruning._prune_channels import prune_channels
from trimtab.channel_pruning._random import ChannelRandom
from trimtab.channel_pruning._recalibration import recalibrate_batch_norm
from trimtab.channel_pruning._result import ChannelPruningResult, ChannelPruningRound, GroupChange
from trimtab.channel_pruning._rule import SelectionRule
from trimtab.channel_pruning._scores import scores, unscored
from trimtab.channel_pruning._selection import RemovalOrder, best_units, removal_order, select
from trimtab.channel_pruning._solver import solve
from trimtab.channel_pruning._target import Target
from trimtab.channel_pruning._taylor import ChannelTaylor

__all__ = [
    "FPGM",
    "L1",
    "L2",
    "BNScale",
    "ChannelFunction",
    "ChannelImportance",
    "ChannelPruningResult",
    "ChannelPruningRound",
    "ChannelRandom",
    "ChannelTaylor",
    "Costs",
    "Explanation",
    "GroupChange",
    "GroupExplanation",
    "GroupLasso",
    "Probes",
    "RemovalOrder",
    "Saving",
    "Selection",
    "SelectionRule",
    "Target",
    "best_units",
    "carry_optimizer",
    "channel_importance",
    "check_channel_importance",
    "explain",
    "prune_channels",
    "recalibrate_batch_norm",
    "removal_order",
    "scores",
    "select",
    "solve",
    "unscored",
]
