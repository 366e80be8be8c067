"""A seed for each layer, so that weights depend on the model's seed and the layer's name alone."""

from __future__ import annotations

import hashlib
from typing import Any

import keras

__all__ = ["glorot_uniform", "he_normal", "layer_seed"]


def layer_seed(seed: int, name: str) -> int:
    """Returns a seed for the layer called `name` in a model seeded with `seed`.

    It depends on the name, not on the position: adding dropout, say, leaves the other layers' initial
    weights as they were, so that two variants start from the same point.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def he_normal(seed: int, name: str) -> Any:
    """Returns He et al.'s (2015) initialiser for a layer that a ReLU follows."""
    return keras.initializers.HeNormal(seed=layer_seed(seed, name))


def glorot_uniform(seed: int, name: str) -> Any:
    """Returns Glorot and Bengio's (2010) initialiser for a layer without an activation."""
    return keras.initializers.GlorotUniform(seed=layer_seed(seed, name))
