"""The importance that a name means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trimtab.channel_pruning._batch_norm_scale import BNScale
from trimtab.channel_pruning._geometric_median import FPGM
from trimtab.channel_pruning._importance import ChannelFunction, ChannelImportance
from trimtab.channel_pruning._norms import L1, L2
from trimtab.channel_pruning._random import ChannelRandom
from trimtab.channel_pruning._taylor import ChannelTaylor
from trimtab.errors import ConfigError, nearest

__all__ = ["channel_importance"]

_NAMED: dict[str, Callable[[], ChannelImportance]] = {
    "l1": L1,
    "l2": L2,
    "bn_scale": BNScale,
    "taylor": ChannelTaylor,
    "fpgm": FPGM,
    "random": ChannelRandom,
}


def channel_importance(value: str | ChannelImportance | Callable[[Any, Any], Any]) -> ChannelImportance:
    """Returns the importance that a name means.

    Args:
        value: ``"l1"``, ``"l2"``, ``"bn_scale"``, ``"taylor"``, ``"fpgm"`` or ``"random"``; a function from a
            group and its weights to scores; or an importance, returned as it is.

    Raises:
        ConfigError: no importance has this name.
    """
    if isinstance(value, ChannelImportance):
        return value
    if isinstance(value, str) and value in _NAMED:
        return _NAMED[value]()
    if callable(value) and not isinstance(value, type):
        return ChannelFunction(value)
    hint = nearest(value, _NAMED) if isinstance(value, str) else ""
    raise ConfigError(
        f"An importance of channels is one of {', '.join(map(repr, _NAMED))}, or a function from a group and "
        f"its weights to scores, but got {value!r}.{hint}"
    )
