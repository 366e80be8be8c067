"""From the name of a granularity, such as ``"4x1"``, to the granularity."""

from __future__ import annotations

import re

from trimtab.errors import ConfigError, nearest
from trimtab.pruning.criteria._blocks import Blocks
from trimtab.pruning.criteria._granularity import Granularity, Unstructured
from trimtab.pruning.criteria._n_of_m import NM

__all__ = ["granularity"]


def granularity(value: str | Granularity) -> Granularity:
    """Returns the granularity of a name: ``"unstructured"``, ``"4x1"`` (blocks), ``"2:4"`` (N:M).

    Args:
        value: a name, or a granularity, which is returned as it is. ``"4x1-max"`` pools by the largest.

    Raises:
        ConfigError: no granularity has this name, or its numbers make no sense.
    """
    if isinstance(value, Granularity):
        return value
    if isinstance(value, str):
        name = value.strip().lower()
        if name == "unstructured":
            return Unstructured()
        if match := re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})(-max)?", name):
            height, width = int(match[1]), int(match[2])
            if height == width == 1:
                return Unstructured()
            return Blocks(height, width, "max" if match[3] else "average")
        if match := re.fullmatch(r"([0-9]{1,6}):([0-9]{1,6})", name):
            return NM(int(match[1]), int(match[2]))
    hint = nearest(value, ["unstructured"]) if isinstance(value, str) else ""
    raise ConfigError(
        "A granularity is 'unstructured', blocks of inputs by outputs such as '4x1', or N:M such as '2:4' "
        f"(two of each four stay), but got {value!r}.{hint}"
    )
