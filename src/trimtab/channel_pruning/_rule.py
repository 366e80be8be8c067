"""The rule by which units are chosen: what is compared with what, in which steps, and what is left alone."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from trimtab.errors import ConfigError, nearest

__all__ = ["Normalization", "Ranking", "SelectionRule"]

Ranking = Literal["global", "group"]
Normalization = Literal["mean", "max", "none"]


@dataclass(frozen=True)
class SelectionRule:
    """How units are chosen, once they have scores.

    Args:
        ranking: ``"global"``: all units are compared with all, so that groups that matter less lose more.
            ``"group"``: each group loses the same share.
        normalization: what makes the scores of different groups comparable (for ``"global"``): each group's
            are divided by their ``"mean"`` or ``"max"``, or left alone with ``"none"``.
        round_to: the channels that stay are a multiple of this (kernels for int8 like multiples of 8). A
            group with fewer channels gets finer steps.
        least: at least so many channels stay in each group, or all where there are fewer.
        max_ratio: at most this share of each group goes, in (0, 1).
        layers: names of layers or groups: only groups whose channels they make or scale. None: all.
        exclude: names of layers or groups to leave alone; the name of a nested model means all in it.

    Raises:
        ConfigError: a value makes no sense.
    """

    ranking: Ranking = "global"
    normalization: Normalization = "mean"
    round_to: int = 8
    least: int = 8
    max_ratio: float = 0.9
    layers: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, value, known in (
            ("ranking", self.ranking, get_args(Ranking)),
            ("normalization", self.normalization, get_args(Normalization)),
        ):
            if value not in known:
                raise ConfigError(
                    f"{what} is one of {', '.join(map(repr, known))}. Received: {value!r}."
                    f"{nearest(str(value), known)}"
                )
        for what in ("round_to", "least"):
            value = getattr(self, what)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
                raise ConfigError(f"{what}={value!r} must be a number of channels, 1 or more (usual: 8).")
        ratio: Any = self.max_ratio
        if isinstance(ratio, bool) or not isinstance(ratio, numbers.Real) or not 0 < float(ratio) < 1:
            raise ConfigError(
                f"max_ratio={ratio!r} must be a share above 0 and below 1: 0.9 lets nine of ten channels of "
                "a group go."
            )
        if self.layers is not None:
            object.__setattr__(self, "layers", _names("layers", self.layers))
            if not self.layers:
                raise ConfigError("layers is an empty list: name the layers to prune, or give None for all.")
        object.__setattr__(self, "exclude", _names("exclude", self.exclude))


def _names(what: str, value: Any) -> tuple[str, ...]:
    """Returns names as a tuple; a single text would be taken for its letters."""
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        raise ConfigError(f"{what} needs a list of layer names, such as ['stem'], but got {value!r}.")
    for item in value:
        if not isinstance(item, str):
            hint = f" Give its name, {item.name!r}." if hasattr(item, "name") else ""
            raise ConfigError(f"{what} needs a list of layer names, but {item!r} is none.{hint}")
    return tuple(value)
