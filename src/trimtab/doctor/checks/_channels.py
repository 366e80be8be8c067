"""Numbers of channels that kernels have to round up."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from trimtab._keras_internals import Call
from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check

__all__ = ["odd_channels"]

_STEP = 8
_WORTH = 0.01  # of all multiplications: what a smaller layer costs nobody notices
_KINDS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.SeparableConv2D,
)


@register_check("channel-counts")
def odd_channels(examined: Examined) -> Iterator[Finding]:
    """Hidden layers whose channels are no multiple of eight."""
    whole, graph = examined.macs, examined.channels
    shares = {cost.name: (cost.macs or 0) / whole for cost in examined.costs} if whole else {}
    fixed = (
        {name for group in graph.groups if _is_output(group.locked) for name in group.layers}
        if graph
        else set()
    )
    odd: list[tuple[Call, int]] = []
    for call in examined.calls_of((*_KINDS, keras.layers.Dense)):
        layer, path = call.operation, "/".join(call.path)
        count = int(getattr(layer, "filters", 0) or getattr(layer, "units", 0))
        if count % _STEP and path not in fixed and shares.get(path, 1.0) >= _WORTH:
            odd.append((call, count))
    if odd:
        first, count = odd[0]
        up, wide = -(-count // 8) * 8, -(-count // 16) * 16
        yield Finding(
            "odd-channels",
            "hint",
            "Layers whose channels are no multiple of 8.",
            layers=examined.paths([call for call, _ in odd]),
            cost=f"Kernels compute 8 at once, with AVX-512 16: the {count} of {first.path[-1]} cost about "
            f"what {up} ({wide}) do.",
            remedy="Build with multiples of 8 or 16, or prune channels to them (prune_channels, round_to=8).",
        )


def _is_output(locked: str | None) -> bool:
    """Says whether channels are the classes, whose number is given."""
    return locked is not None and "output" in locked
