"""How a model was trained for integers: its bits, its ranges, what stayed float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.reporting._fields import Fields

__all__ = ["QuantizeAware", "TensorRange", "quantized_aware", "read_aware"]


@dataclass(frozen=True)
class TensorRange:
    """The range of one tensor at the end; `fixed` where LiteRT prescribes it."""

    name: str
    layers: tuple[str, ...]
    low: float | None
    high: float | None
    step: float | None
    fixed: bool


@dataclass(frozen=True)
class QuantizeAware:
    """How a model was trained for integers.

    Attributes:
        weights_bits: of the kernels.
        ranges_method: how the ranges followed the training.
        calibration_method: how the first ranges were chosen.
        calibration_images: with how many images.
        frozen_from: the first epoch in which the ranges stood still; None: they never did.
        kept_float: layers that compute in float, each with the reason.
        ranges: of each tensor at the end.
        teacher: the step that taught; empty where the labels alone did.
    """

    weights_bits: int | None
    ranges_method: str
    calibration_method: str
    calibration_images: int | None
    frozen_from: int | None
    kept_float: tuple[tuple[str, str], ...]
    ranges: tuple[TensorRange, ...]
    teacher: str


def read_aware(record: Fields) -> QuantizeAware:
    """Reads how a model was trained for integers.

    Raises:
        RunError: the record holds something else.
    """
    kept = record.fields("kept_float")
    return QuantizeAware(
        weights_bits=record.integer("weights_bits"),
        ranges_method=record.text("ranges_method"),
        calibration_method=record.text("calibration_method"),
        calibration_images=record.integer("calibration_images"),
        frozen_from=record.integer("frozen_from"),
        kept_float=tuple((str(name), kept.text(name)) for name in kept.content),
        ranges=tuple(
            TensorRange(
                entry.text("name"),
                entry.texts("layers"),
                entry.number("low"),
                entry.number("high"),
                entry.number("step"),
                entry.content.get("fixed") is True,
            )
            for entry in record.objects("ranges")
        ),
        teacher=record.text("teacher"),
    )


def quantized_aware(config: Mapping[str, Any]) -> str:
    """Says how a model is trained for integers: "quantize-aware, 4-bit weights, taught by itself"."""
    bits, teacher, kept = config.get("weights_bits"), config.get("teacher"), config.get("keep_float")
    ways = [
        "quantize-aware",
        f"{bits}-bit weights" if isinstance(bits, int) else "",
        "learned ranges" if config.get("ranges") == "learned" else "",
        f"{', '.join(map(str, kept))} kept float" if isinstance(kept, list) and kept else "",
        f"taught by {teacher}" if teacher else "",
        "calibrated and not trained" if config.get("epochs") == 0 else "",
    ]
    return ", ".join(filter(None, ways))
