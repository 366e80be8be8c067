"""A share of zeros: which values are one."""

from __future__ import annotations

import numbers
from typing import Any

from trimtab.errors import ConfigError

__all__ = ["check_fraction", "is_number"]


def is_number(value: Any) -> bool:
    """Tells whether `value` is a real number, and not merely true or false."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_fraction(what: str, value: Any) -> float:
    """Returns a share of zeros as a float; it is in [0, 1), since a share of 1 leaves no network.

    Args:
        what: what the message calls it, such as ``"sparsity of layer 'dense'"``.
        value: what was given.

    Raises:
        ConfigError: it is no number, or out of range.
    """
    if not is_number(value) or not 0 <= value < 1:
        raise ConfigError(
            f"{what} must be a share of zeros from 0 up to, not including, 1 (0.8: four of five weights "
            f"become zero), but got {value!r}."
        )
    return float(value)
