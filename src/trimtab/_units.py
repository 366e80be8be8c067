"""Quantities as people write them: ``"50kB"``, ``"2ms"``, ``"1.5M"``, ``"50%"``, ``"0.5x"``, or a number."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.errors import ConfigError

__all__ = ["QUANTITIES", "Amount", "amount", "minutes", "points", "share"]

_TIMES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_BYTES = {
    **{f"{prefix}b": scale for prefix, scale in _TIMES.items()},
    "": 1.0,
    "bytes": 1.0,
    "kib": 2.0**10,
    "mib": 2.0**20,
    "gib": 2.0**30,
}
_MILLISECONDS = {"": 1.0, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "s": 1e3}
_MINUTES = {"": 1.0, "min": 1.0, "m": 1.0, "minutes": 1.0, "s": 1 / 60, "h": 60.0}
_POINTS = {"": 1.0, "points": 1.0, "point": 1.0, "pp": 1.0, "%": 1.0}
_SHARES = {"": 1.0, "%": 0.01}

QUANTITIES: Mapping[str, tuple[Mapping[str, float], str]] = {
    "parameters": (_TIMES, "50000, '50k', '50%' or '0.5x'"),
    "macs": (_TIMES, "12_500_000, '12.5M', '50%' or '0.5x'"),
    "size": (_BYTES, "50000 (bytes), '50kB', '50%' or '0.5x'"),
    "latency": (_MILLISECONDS, "2.0 (milliseconds), '2ms', '50%' or '0.5x'"),
    "memory": (_BYTES, "256000 (bytes), '256kB', '50%' or '0.5x'"),
    "download": (_BYTES, "50000 (bytes), '50kB', '50%' or '0.5x'"),
}
"""What can be limited: its units in small letters, with how many of the plain unit each is; and examples."""

_WRITTEN = re.compile(r"\s*(\d[\d_]*\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*([a-zµ%×]*)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Amount:
    """A limit: so much, or such a share of what there is.

    Args:
        value: in the plain unit (numbers, bytes, milliseconds), or the share, above 0 and below 1.
        relative: whether it is a share of what the whole model has.
    """

    value: float
    relative: bool = False

    def of(self, whole: float) -> float:
        """Returns the limit in the plain unit, for a model that has `whole` of it."""
        return self.value * whole if self.relative else self.value


def amount(quantity: str, value: Any) -> Amount:
    """Reads how much of something there may be.

    Args:
        quantity: ``"parameters"``, ``"macs"``, ``"size"`` (of the int8 file), ``"latency"``, ``"memory"`` or
            ``"download"``.
        value: a number in the plain unit (bytes, milliseconds), or a text: a number with a unit (1 kB is 1000
            bytes, 1 KiB is 1024), ``"50%"`` or ``"0.5x"`` of what the model has.

    Raises:
        ConfigError: it is neither, not above 0, or a share of 100 % or more.

    Example:
        >>> amount("size", "50kB"), amount("macs", "0.5x")
        (Amount(value=50000.0, relative=False), Amount(value=0.5, relative=True))
    """
    units, examples = QUANTITIES[quantity]
    if isinstance(value, str):
        found = _read(value, units)
    elif isinstance(value, bool) or not isinstance(value, numbers.Real):
        found = None
    else:
        found = Amount(float(value))
    if found is None or not math.isfinite(found.value) or found.value <= 0:
        raise ConfigError(f"{quantity}={value!r} is no amount. Give for example {examples}.")
    if found.relative and found.value >= 1:
        raise ConfigError(
            f"{quantity}={value!r} asks for all that there is, or more. Give a smaller share, such as '50%'."
        )
    if not found.relative and quantity != "latency" and found.value < 1:
        raise ConfigError(
            f"{quantity}={value!r} is less than one. A share is written '{100 * found.value:g}%' or "
            f"'{found.value:g}x'."
        )
    return found


def share(name: str, value: Any) -> float:
    """Reads a share of 1, such as an accuracy: ``0.91`` or ``"91%"``.

    Raises:
        ConfigError: it is neither, or not above 0 and at most 1.
    """
    found = _plain(value, _SHARES)
    if found is None or not 0 < found <= 1:
        hint = f" Did you mean '{value}%'?" if found is not None and 1 < found <= 100 else ""
        raise ConfigError(
            f"{name}={value!r} is no share of the images. Give for example 0.91 or '91%'.{hint}"
        )
    return found


def points(name: str, value: Any) -> float:
    """Reads a difference of two accuracies in percentage points: ``0.5``, ``"0.5"`` or ``"0.5 points"``.

    Raises:
        ConfigError: it is none of these, below 0, or 100 points and more.
    """
    found = _plain(value, _POINTS)
    if found is None or not 0 <= found < 100:
        raise ConfigError(
            f"{name}={value!r} is no drop of accuracy. Give percentage points, for example 0.5 or '0.5 "
            "points'."
        )
    return found


def minutes(name: str, value: Any) -> float:
    """Reads a time in minutes: ``30``, ``"30"``, ``"90s"`` or ``"2h"``.

    Raises:
        ConfigError: it is none of these, or not above 0.
    """
    found = _plain(value, _MINUTES)
    if found is None or not found > 0:
        raise ConfigError(f"{name}={value!r} is no time. Give minutes, for example 30, '90s' or '2h'.")
    return found


def _plain(value: Any, units: Mapping[str, float]) -> float | None:
    """Reads a number, or a text of a number with a unit; None where it is neither, or not finite."""
    found = None
    if isinstance(value, str):
        match = _WRITTEN.fullmatch(value)
        if match is not None and match[2].lower() in units:
            found = float(match[1].replace("_", "")) * units[match[2].lower()]
    elif not isinstance(value, bool) and isinstance(value, numbers.Real):
        found = float(value)
    return found if found is not None and math.isfinite(found) else None


def _read(text: str, units: Mapping[str, float]) -> Amount | None:
    """Reads a number with a unit; None where it is none."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    number, unit = float(match[1].replace("_", "")), match[2].lower()
    if unit == "%":
        return Amount(number / 100, relative=True)
    if unit in ("x", "×"):
        return Amount(number, relative=True)
    return Amount(number * units[unit]) if unit in units else None
