"""How much each training image counts, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from trimtab.errors import ConfigError

__all__ = ["checked_weights"]


def checked_weights(sample_weight: Any, count: int) -> np.ndarray | None:
    """Returns the weights of the training images as float32; None where there are none.

    Args:
        sample_weight: what the user gave: numbers of 0 or more, one for each image, or None.
        count: how many training images there are.

    Raises:
        ConfigError: there are too many or too few, or one is negative or no number, or all are 0.
    """
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"sample_weight must be {count} numbers, one for each training image; it got "
            f"{type(sample_weight).__name__}."
        ) from error
    if weights.shape != (count,):
        raise ConfigError(
            f"sample_weight has shape {weights.shape}; ({count},) was needed: one number for each training "
            "image, in the order of data.train."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ConfigError(
            f"sample_weight goes from {weights.min():g} to {weights.max():g}; finite numbers of 0 or more "
            "were needed, and not all 0. Leave it out to count each image once."
        )
    return weights
