"""Layers of Trimtab's own that a file may hold: the room that has them is imported when a file names one."""

from __future__ import annotations

import importlib

__all__ = ["import_own_layers"]

_PACKAGE = "trimtab>"
"""How the registered names of its classes begin."""
_ROOM = "trimtab.quantization"
"""The room with layers that end up in models. It stands above this one, so it is named and not imported, and
named here, not by the file: a file chooses nothing that is imported."""


def import_own_layers(registered: object) -> None:
    """Makes sure that Trimtab's layers are known, where the name of one is met.

    Args:
        registered: the name that a class in a file is registered under.
    """
    if isinstance(registered, str) and registered.startswith(_PACKAGE):
        importlib.import_module(_ROOM)
