"""Schemes that look smaller or better and are a trap on some processor, with the factor that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.litert._inspect import FileSummary

__all__ = ["Caution", "cautions_of"]


@dataclass(frozen=True)
class Caution:
    """What to know before a scheme is chosen.

    Args:
        text: one sentence, with its measured factor.
        ops: the operators that it is about, as LiteRT calls them; none: any file.
    """

    text: str
    ops: frozenset[str] = frozenset()

    def concerns(self, summary: FileSummary) -> bool:
        """True where a file has one of the operators."""
        return not self.ops or not self.ops.isdisjoint(summary.ops)


# The factors are those of benchmarks/ptq_routes.py on x86-64 with AVX-512 VNNI, one thread.
_WIDE = Caution(
    "int16 activations have no fast kernels on x86: about 30 times slower than int8 there. They are for "
    "microcontrollers and processors that have such kernels."
)
_LOOSE_DEPTHWISE = Caution(
    "On x86 depthwise convolutions in a dynamic int8 file run 0.5 to 0.6 times as fast as in a float file: "
    "take the scheme 'int8', or keep it for the download.",
    frozenset({"DEPTHWISE_CONV_2D"}),
)
_NARROW_CONVOLUTION = Caution(
    "Convolutions with int4 weights are unpacked when they run, on x86 2.4 times slower than int8: they "
    "save download and storage only.",
    frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}),
)


def cautions_of(weights: str, activations: str) -> tuple[Caution, ...]:
    """Returns the cautions of a scheme with these number types."""
    if activations == "int16":
        return (_WIDE,)
    if activations == "float32" and weights in ("int8", "int4"):
        return (_LOOSE_DEPTHWISE,)  # convolutions of dynamic int4 files are int8
    return (_NARROW_CONVOLUTION,) if weights == "int4" else ()
