"""Units at random: the control that shows what another importance is worth."""

from __future__ import annotations

import dataclasses
import numbers
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.channel_pruning._importance import ChannelImportance, Floats
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.channels import ChannelGroup

__all__ = ["ChannelRandom"]

_STREAM = 0x6368616E


@dataclasses.dataclass(frozen=True)
class ChannelRandom(ChannelImportance):
    """Units matter at random: the control.

    Args:
        seed: whole number, 0 or more; another seed draws other scores.

    Raises:
        ConfigError: the seed is no such number.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        seed: Any = self.seed
        if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
            raise ConfigError(f"ChannelRandom needs a seed of 0 or more, a whole number, but got {seed!r}.")
        object.__setattr__(self, "seed", int(seed))

    @property
    def name(self) -> str:
        """``"random"``."""
        return "random"

    def score(self, group: ChannelGroup, memory: Any = None) -> Floats:  # noqa: ARG002
        """Returns uniform numbers from 0 to 1 that depend on the seed, the group's name and size only."""
        drawn = np.random.default_rng([_STREAM, self.seed, zlib.crc32(group.name.encode())])
        return drawn.random(group.size)
