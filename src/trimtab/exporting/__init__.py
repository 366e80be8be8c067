"""Files for devices: `export` makes and proves one, `Artifact` is its record."""

from __future__ import annotations

from trimtab.exporting._artifact import Artifact
from trimtab.exporting._export import export

__all__ = ["Artifact", "export"]
