"""Batch normalisation that no kernel can take in."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._folding import standing_alone
from trimtab.doctor._register import register_check

__all__ = ["unfoldable_batch_normalization"]


@register_check("batch-normalization")
def unfoldable_batch_normalization(examined: Examined) -> Iterator[Finding]:
    """Batch normalisations that stay operators of their own."""
    alone = standing_alone(examined)
    reasons: dict[str, list[str]] = {}
    for path, why in alone.items():
        reasons.setdefault(why, []).append(path)
    for why, paths in reasons.items():
        yield Finding(
            "unfoldable-batch-norm",
            "warning",
            f"Batch normalisation that no convolution can take in: {why}.",
            layers=tuple(paths),
            cost="It stays a multiplication and an addition for each number of its map.",
            remedy="Put it right after the convolution, before the activation.",
        )
