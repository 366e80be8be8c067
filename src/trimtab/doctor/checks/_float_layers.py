"""Layers that an int8 file leaves in float."""

from __future__ import annotations

from collections.abc import Iterator

from trimtab.doctor._examined import Examined
from trimtab.doctor._finding import Finding
from trimtab.doctor._register import register_check

__all__ = ["float_layers"]


@register_check("float-layers")
def float_layers(examined: Examined) -> Iterator[Finding]:
    """Layers without integer kernels."""
    if not any(scheme.static for scheme in examined.schemes):
        return
    kept = examined.kept_float
    if kept:
        yield Finding(
            "stays-float",
            "warning",
            f"Stays float when the model is trained for int8: {'; '.join(dict.fromkeys(kept.values()))}.",
            layers=tuple(kept),
            cost="The file goes from integers to floats and back around it, which takes time.",
            remedy="Use a layer that LiteRT has in integers, or teach yours with quantization.register.",
        )
