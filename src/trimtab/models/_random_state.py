"""Keeps Python's global random state as it was while Keras makes layers."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

__all__ = ["undisturbed_random_state"]


@contextlib.contextmanager
def undisturbed_random_state() -> Iterator[None]:
    """Restores Python's global random state at the end of the block.

    Keras draws the seed of each unseeded initialiser and dropout layer from it, so that reading or copying
    a model would otherwise change what the caller's own random numbers are.
    """
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)
