"""Units whose absence the loss would feel matter: gradient times weight, to first order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from trimtab.channel_pruning._importance import ChannelImportance, Floats, sum_per_unit
from trimtab.errors import ConfigError
from trimtab.pruning.where._prunable import as_numpy

if TYPE_CHECKING:
    from trimtab.channels import ChannelGroup

__all__ = ["ChannelTaylor"]


@dataclasses.dataclass(frozen=True)
class ChannelTaylor(ChannelImportance):
    """Units matter by how much the loss would change without them, to first order.

    On each batch of calibration images, gradient times weight is summed over all weights that hold a unit
    (the filters that make its channels, their biases and scales, and the slices of the kernels that take
    them), and the sum is squared; these squares are summed over the batches::

        score(unit) = sum over batches of (sum over the unit's weights of gradient * weight) ** 2

    The square of the sum, and not a sum of squares, since the weights of a unit go together; batch by
    batch, since over all training images the gradients of a trained model cancel out.

    Reference: Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019, equations
    8 and 9, with a unit of the whole group as the structural set.
    """

    remembers: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """``"taylor"``."""
        return "taylor"

    def observe(self, memory: Any, group: ChannelGroup, gradients: Sequence[Any]) -> Floats:
        """Adds the squares of one batch."""
        change = np.zeros(group.size)
        for member, gradient in zip(group.members, gradients, strict=True):
            if gradient is not None:
                product = as_numpy(member.variable).astype(np.float64) * gradient
                change += sum_per_unit(member, product, group.size)
        squares: Floats = np.square(change)
        return squares if memory is None else memory + squares

    def score(self, group: ChannelGroup, memory: Any = None) -> Floats:
        """Returns the sums of squares.

        Raises:
            ConfigError: there is no memory.
        """
        if memory is None:
            raise ConfigError(
                f"The importance 'taylor' needs gradients to score group {group.name!r}: give "
                "trimtab.channel_pruning.scores the data, whose training images calibrate it."
            )
        return np.asarray(memory, np.float64)
