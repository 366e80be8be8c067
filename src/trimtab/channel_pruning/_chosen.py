"""What was chosen to meet a target: which units stay, what that gives, and what was tried on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.benchmarking import Interval, Measurement
from trimtab.channel_pruning._target import Target

__all__ = ["Costs", "Selection"]


@dataclass(frozen=True)
class Costs:
    """What a model costs.

    Args:
        ratio: share of the units gone, of those that may go.
        parameters: numbers in its weights.
        macs: multiply-accumulates of an image; None where they cannot be counted.
        size: bytes of the int8 file; None where it was not made.
        latency: milliseconds an image takes in the int8 file on this machine, with the interval; None where
            it was not measured.
        latency_share: that, as a share of what the whole model's file takes in the same rounds, with limits.
    """

    ratio: float
    parameters: int
    macs: int | None
    size: int | None = None
    latency: Measurement | None = None
    latency_share: Interval | None = None


@dataclass(frozen=True, eq=False)
class Selection:
    """Which units stay so that a target is met.

    Args:
        keep: by group, the units that stay, in rising order; what `trimtab.channels.remove` takes.
        groups: name of each group that may lose units, how many it has, and how many stay.
        target: what was asked for.
        limit: that, in the plain unit (numbers, bytes, milliseconds), even where a share was asked for; of a
            ratio, the ratio.
        before: what the model costs as it is.
        after: what it costs with the units that stay.
        left: groups that stay whole, each with the reason.
        tried: all candidates that were converted, in that order, `before` and `after` among them.
        notes: what one must know to read the numbers rightly.
    """

    keep: dict[str, npt.NDArray[np.intp]] = field(metadata={"record": False}, repr=False)
    groups: tuple[tuple[str, int, int], ...]
    target: Target
    limit: float
    before: Costs
    after: Costs
    left: tuple[tuple[str, str], ...] = ()
    tried: tuple[Costs, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many units of each group stay."""
        return {name: after for name, _, after in self.groups}

    @property
    def ratio(self) -> float:
        """Share of the units that goes."""
        return self.after.ratio

    @property
    def reached(self) -> float:
        """What came out, in the unit of the target."""
        value: Any = getattr(self.after, self.target.quantity)
        return float(value if self.target.quantity != "latency" else value.value)
