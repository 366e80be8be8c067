"""What quantization-aware training gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.training import History

__all__ = ["QuantizeAwareResult", "RangeRecord"]


@dataclass(frozen=True)
class RangeRecord:
    """The range of one tensor.

    Args:
        name: the quantizer.
        layers: the layers of the original model whose outputs it rounds.
        low: lower end; 0 is always inside.
        high: upper end.
        step: between two integers.
        fixed: whether LiteRT prescribes it.
    """

    name: str
    layers: tuple[str, ...]
    low: float
    high: float
    step: float
    fixed: bool = False


@dataclass(frozen=True)
class QuantizeAwareResult:
    """What `trimtab.quantize_aware` gave.

    Args:
        model: the aware model: flat, with fake-quantizers in it; to be exported as it is.
        history: the training; None where there was none (``epochs=0``).
        weights_bits: bits of the kernels.
        ranges_method: ``"moving-average"`` or ``"learned"``.
        calibration_method: how the first ranges were chosen.
        calibration_images: with how many images.
        frozen_from: the first epoch in which the ranges stood still; None: they never did.
        kept_float: layers of the original model that compute in float, each with the reason.
        ranges: the range of each tensor at the end.
        teacher: name of the teacher; None where there was none.
        notes: plain sentences about what was done.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    history: History | None
    weights_bits: int
    ranges_method: str
    calibration_method: str
    calibration_images: int
    frozen_from: int | None
    kept_float: Mapping[str, str]
    ranges: tuple[RangeRecord, ...] = field(repr=False)
    teacher: str | None = None
    notes: tuple[str, ...] = ()
