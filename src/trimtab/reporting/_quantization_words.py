"""What a step of quantization does, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trimtab.reporting._formats import points

__all__ = ["scanned"]


def scanned(source: str, config: Mapping[str, Any]) -> str:
    """Says what a scan looks for: which layers pruning hurts, or quantizing."""
    scheme = config.get("scheme")
    if not scheme:
        return f"each layer of {source} pruned alone, without training, and measured on validation images"
    told = f"each layer of {source} quantized alone and all but it ({scheme}), measured on validation images"
    drop = config.get("max_drop")
    if isinstance(drop, int | float) and not isinstance(drop, bool):
        lost = points(drop).lstrip("+±")
        told += f"; then the fewest layers kept float that lose at most {lost} points"
    return told
