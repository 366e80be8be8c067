"""Units whose weights are large matter: the L1 and the L2 norm, summed over all layers of a group."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.channel_pruning._importance import ChannelImportance, Floats, added

if TYPE_CHECKING:
    from trimtab.channels import ChannelGroup

__all__ = ["L1", "L2"]


@dataclasses.dataclass(frozen=True)
class L1(ChannelImportance):
    """Units with large weights matter: the sum of ``|w|`` over all kernels and scales that hold a unit.

    These are the filters that make its channels, the slices of the kernels that take them, and the scales of
    normalisations between. Biases and moving statistics do not count.

    References:
        Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017: the norm of a filter.
        Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023, section 3.3: summed over a group.
    """

    @property
    def name(self) -> str:
        """``"l1"``."""
        return "l1"

    def score(self, group: ChannelGroup, memory: Any = None) -> Floats:  # noqa: ARG002
        """Returns the sums of magnitudes."""
        return added(group, np.abs)


@dataclasses.dataclass(frozen=True)
class L2(ChannelImportance):
    """Units with large weights matter: the sum of ``w ** 2`` over all kernels and scales that hold a unit.

    As `L1`, with squares, of which large weights make up more. The root is not taken: it leaves the ranking
    within a group as it is.

    References:
        As for `L1`.
    """

    @property
    def name(self) -> str:
        """``"l2"``."""
        return "l2"

    def score(self, group: ChannelGroup, memory: Any = None) -> Floats:  # noqa: ARG002
        """Returns the sums of squares."""
        return added(group, lambda weight: np.square(weight, dtype=np.float64))
