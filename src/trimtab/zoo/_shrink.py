"""The same architecture, narrower: a model as its own student."""

from __future__ import annotations

import keras

from trimtab.channels import ChannelGroup, find_groups, reinitialized, remove
from trimtab.channels._groups import check_free
from trimtab.channels._rounding import allowed_counts
from trimtab.errors import ConfigError
from trimtab.zoo._arguments import check_whole

__all__ = ["shrink"]


def shrink(
    model: keras.Model, width: float, *, round_to: int = 8, least: int = 8, seed: int = 0
) -> keras.Model:
    """Builds the same architecture with fewer channels in each layer, and fresh initial weights.

    Every group of channels that may be pruned (`trimtab.channels.find_groups`) keeps `width` of them; the
    rest of the model, its inputs and outputs among it, stays as it is, and so do all names. Train it with
    `trimtab.distill` and the original as the teacher.

    Args:
        model: a Functional or Sequential model; it stays as it is.
        width: share of the channels that stay, above 0 and at most 1. Half the channels leave about a
            quarter of the parameters and multiply-accumulates.
        round_to: channels are rounded to multiples of this; 8 suits integer kernels. 1: not rounded. A group
            with fewer channels gets finer steps.
        least: no group gets fewer channels than this, unless it has fewer already.
        seed: decides the weights; see `trimtab.channels.reinitialized`.

    Returns:
        A model of the same class and names, not compiled, not trained.

    Raises:
        ConfigError: an argument makes no sense.
        ModelError: the model has no graph, is not built, cannot be made from its config, or has no channels
            that may be removed.

    Example:
        >>> student = shrink(resnet((32, 32, 3), 10, depth=20, width=32), 0.5)
    """
    if isinstance(width, bool) or not isinstance(width, int | float) or not 0 < width <= 1:
        raise ConfigError(
            f"width is the share of the channels that stay, above 0 and at most 1. Received: width={width!r}."
        )
    round_to = check_whole("round_to", round_to, 1)
    least = check_whole("least", least, 1)
    seed = check_whole("seed", seed, 0)
    graph = find_groups(model)
    if width < 1:
        check_free(graph)
    keep = {
        group.name: range(_units(group, width, round_to, least))
        for group in graph.groups
        if group.locked is None
    }
    return reinitialized(remove(graph, keep), seed)


def _units(group: ChannelGroup, width: float, round_to: int, least: int) -> int:
    """Says how many units of a group stay: the nearest number that may, and of two as near the larger."""
    wanted = group.size * width
    return min(allowed_counts(group, round_to, least), key=lambda count: (abs(count - wanted), -count))
