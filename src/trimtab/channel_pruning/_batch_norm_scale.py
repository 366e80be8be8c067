"""Units whose normalisation scales them up matter: the magnitude of gamma."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.channel_pruning._importance import ChannelImportance, Floats, sum_per_unit
from trimtab.pruning.where._prunable import as_numpy

if TYPE_CHECKING:
    from trimtab.channels import ChannelGroup

__all__ = ["BNScale"]


@dataclasses.dataclass(frozen=True)
class BNScale(ChannelImportance):
    """Units that batch normalisation scales up matter: the sum of ``|gamma|`` over the layers of a group.

    It says most after training with a penalty on these scales (sparsity learning). A group without a scale
    is left whole.

    Reference: Liu et al., "Learning Efficient Convolutional Networks through Network Slimming", ICCV 2017.
    """

    @property
    def name(self) -> str:
        """``"bn_scale"``."""
        return "bn_scale"

    def refuses(self, group: ChannelGroup) -> str | None:
        """Refuses groups without a scale."""
        if any(member.weight == "gamma" for member in group.members):
            return None
        return "it has no normalisation with a scale (gamma), which 'bn_scale' ranks by"

    def score(self, group: ChannelGroup, memory: Any = None) -> Floats:  # noqa: ARG002
        """Returns the sums of magnitudes of the scales."""
        total = np.zeros(group.size)
        for member in group.members:
            if member.weight == "gamma":
                total += sum_per_unit(member, np.abs(as_numpy(member.variable)), group.size)
        return total
