"""The command line: each command parses its words, calls one verb of the library and shows its result.

Nothing heavy is imported at the top: ``trimtab --help`` and every usage error answer at once.
"""

from __future__ import annotations

from trimtab.cli._app import app, main

__all__ = ["app", "main"]
