"""One flat model in place of any other, with everything linear folded into the layer beside it."""

from __future__ import annotations

from trimtab.quantization.folding._fold import Folded, fold

__all__ = ["Folded", "fold"]
