"""Softmax: fine at the end of a float file, coarse in an integer one, and odd in the middle."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check
from trimtab.doctor.checks._activation import activation_of

__all__ = ["softmax"]


@register_check("softmax")
def softmax(examined: Examined) -> Iterator[Finding]:
    """A softmax at the end, and others inside."""
    calls = [call for call in examined.calls if activation_of(call.operation) == "softmax"]
    if examined.ends_in_softmax:
        last, calls = calls[-1:], calls[:-1]
        yield Finding(
            "softmax-at-the-end",
            "hint",
            "The model ends in softmax.",
            layers=examined.paths(last),
            cost="In int8 it has steps of 1/256, too coarse to rank classes or to measure a loss with.",
            remedy="Export with softmax='strip' (--softmax strip): logits name the same class.",
        )
    if calls:
        yield Finding(
            "softmax-inside",
            "warning",
            "A softmax stands inside the model, not at its end.",
            layers=examined.paths(calls),
            cost="In int8 what it gives has steps of 1/256; its channels are one distribution, and are tied.",
            remedy="Keep it float (keep_float=), or use sigmoid, which loses less where it only weighs.",
        )
