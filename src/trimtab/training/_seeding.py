"""Random layers whose numbers depend on the seed and the epoch alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

__all__ = ["own_random_state", "reseed"]


@contextlib.contextmanager
def own_random_state() -> Iterator[None]:
    """Lets `reseed` seed torch's global generator inside the block; the caller's comes back after it.

    On torch, Keras' dropout without a seed of its own draws from the global generator.
    """
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.random.fork_rng():
        yield


def reseed(model: Any, seed: int, epoch: int) -> None:
    """Sets the state of every seed generator in the model (dropout, noise, augmentation) in place.

    The states are a pure function of the seed, the epoch and the place in the model, so a training
    that is continued at an epoch draws what an unbroken one draws.

    Args:
        model: the model whose random layers are to be seeded.
        seed: the training's seed.
        epoch: the epoch about to begin, from 0.
    """
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    for index, state in enumerate(states):
        state.assign(np.array([_drawn(seed, epoch, index), 0], dtype=state.dtype))
    if keras.backend.backend() == "torch":
        import torch

        torch.manual_seed(_drawn(seed, epoch, len(states)))


def _drawn(*entropy: int) -> int:
    """Returns a number of 31 bits; some backends keep the state as a signed number of 32."""
    return int(np.random.SeedSequence(entropy).generate_state(1)[0]) >> 1
