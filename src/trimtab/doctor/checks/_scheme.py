"""Schemes that are traps for this model on some processor."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check

__all__ = ["scheme_cautions"]

_LAYERS: dict[str, tuple[type, ...]] = {
    "DEPTHWISE_CONV_2D": (keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D),
    "CONV_2D": (keras.layers.Conv2D,),
    "TRANSPOSE_CONV": (keras.layers.Conv2DTranspose,),
}


@register_check("schemes")
def scheme_cautions(examined: Examined) -> Iterator[Finding]:
    """What a scheme's own caution says, where the model has what it is about."""
    told: dict[str, tuple[list[str], frozenset[str]]] = {}
    for scheme in examined.schemes:
        for caution in scheme.cautions:
            summary = examined.files.float_summary
            if summary is not None and caution.concerns(summary):
                told.setdefault(caution.text, ([], caution.ops))[0].append(scheme.name)
    for text, (names, ops) in told.items():
        kinds = tuple(kind for op in sorted(ops) for kind in _LAYERS.get(op, ()))
        yield Finding(
            "scheme-is-a-trap",
            "warning",
            f"On some processors a trap for this model: {', '.join(names)}.",
            layers=examined.paths(examined.calls_of(kinds)) if kinds else (),
            cost=text,
        )
