"""A seed for each layer, so that what is drawn depends on the model's seed and the layer's name alone."""

from __future__ import annotations

import hashlib

__all__ = ["layer_seed"]


def layer_seed(seed: int, name: str) -> int:
    """Returns a seed for the layer called `name` in a model seeded with `seed`.

    It depends on the name, not on the position: adding dropout, say, leaves the other layers' initial
    weights as they were, so that two variants start from the same point.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
