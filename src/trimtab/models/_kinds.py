"""Which of the classes that are known a layer computes as."""

from __future__ import annotations

from collections.abc import Container

__all__ = ["computes_like", "nearest_kind"]

# The methods in which a layer computes. A subclass with its own one may compute anything.
_COMPUTING = ("call", "convolution_op", "_compute_attention")


def nearest_kind(kind: type, known: Container[type]) -> type | None:
    """Returns the class itself or the nearest of its parents that is known, or None."""
    return next((parent for parent in kind.__mro__ if parent in known), None)


def computes_like(kind: type, parent: type) -> bool:
    """Says whether a subclass computes what its parent does: it has no `call` or the like of its own."""
    return all(getattr(kind, method, None) is getattr(parent, method, None) for method in _COMPUTING)
