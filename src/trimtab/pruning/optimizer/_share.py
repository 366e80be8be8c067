"""How much of each weight goes when the schedule asks for a share: per-layer targets, with one clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.schedules._schedule import Schedule

__all__ = ["check_targets", "shares"]


def shares(asked: Any, targets: Sequence[float | None], final: float | None) -> Any:
    """Returns the share of each weight that goes when the schedule asks for `asked`.

    A weight with a target of its own has come as far on its way as the schedule has on its own:
    ``target * asked / final``, and exactly `target` once the schedule has reached its end.

    Args:
        asked: what the schedule asks for: a number or a float32 scalar tensor.
        targets: final sparsity of each weight; None: that of the schedule.
        final: final sparsity of the schedule.

    Returns:
        `asked` itself where no weight has a target of its own, or else a float32 tensor, one for each.
    """
    if final is None or all(target is None for target in targets):
        return asked
    asked = ops.cast(asked, "float32")
    own = np.asarray([final if target is None else target for target in targets], "float32")
    ratios = np.asarray([1.0 if target is None else target / final for target in targets], "float32")
    reached = ops.greater_equal(asked, np.float32(final))
    return ops.where(reached, ops.convert_to_tensor(own), ops.multiply(asked, ops.convert_to_tensor(ratios)))


def check_targets(schedule: Schedule, criterion: Criterion, targets: Sequence[float | None]) -> None:
    """Raises `ConfigError` where schedule, targets and criterion contradict each other."""
    own = [target for target in targets if target is not None]
    if own and not schedule.target:
        raise ConfigError(
            f"targets follow a schedule that climbs to a sparsity of its own, but {schedule!r} asks for none."
        )
    if own and criterion.ranking == "global":
        raise ConfigError(
            "ranking='global' finds out by itself how much each layer loses, so it takes no targets. "
            "Leave targets out, or use ranking='layer'."
        )
    pattern = criterion.granularity.pattern_from
    if pattern is None:
        return
    for final in own or [schedule.target or 0.0]:
        if final and abs(final - pattern) > 1e-6:  # 0: this weight is left alone
            raise ConfigError(
                f"Granularity {criterion.granularity.name!r} makes a sparsity of {pattern:.6g}, no more and "
                f"no less, but {final:.6g} was asked for. Let the schedule end at {pattern:.6g}."
            )
