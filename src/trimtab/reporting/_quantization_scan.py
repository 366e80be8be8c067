"""Reading a scan of quantization: which layer hurts, and which ones were kept float for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab.reporting._data import Number
from trimtab.reporting._fields import Fields, pairs

__all__ = [
    "LayerNoise",
    "MixedPrecision",
    "NoisePoint",
    "QuantizationScan",
    "Trial",
    "is_quantization_scan",
    "read_mixed",
    "read_quantization_scan",
]

_SILENT = 100.0  # decibels; from there on the difference is that of float32 arithmetic
_MOST_MARKED = 5


@dataclass(frozen=True)
class NoisePoint:
    """The model with some layers quantized: shares 0..1; None where nothing was recorded.

    Attributes:
        sqnr_db: signal to quantization noise of the outputs in decibels.
        accuracy: share of the images classified rightly.
        change: accuracy less that of the float model, with the interval of the pair.
        agreement: share of the images that get the float model's class.
    """

    sqnr_db: float | None = None
    accuracy: Number | None = None
    change: Number | None = None
    agreement: float | None = None

    @property
    def noisy(self) -> bool:
        """Whether there is noise that can be drawn."""
        return self.sqnr_db is not None and self.sqnr_db < _SILENT


@dataclass(frozen=True)
class LayerNoise:
    """What quantizing one layer does: alone, and what is left where all others are quantized."""

    name: str
    parameters: int
    alone: NoisePoint
    without: NoisePoint


@dataclass(frozen=True)
class QuantizationScan:
    """A scan of quantization: the float model, the quantized one, and each layer, on the same images."""

    scheme: str
    accuracy: Number | None
    quantized: NoisePoint
    images: int
    calibration: int
    layers: tuple[LayerNoise, ...]
    kept_float: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def worst(self) -> tuple[LayerNoise, ...]:
        """The fewest layers whose noise, each alone, adds up to half of all; at most five, worst first."""
        noise = {
            layer.name: 10.0 ** (-layer.alone.sqnr_db / 10)
            for layer in self.layers
            if layer.alone.noisy and layer.alone.sqnr_db is not None
        }
        found: list[LayerNoise] = []
        heard, every = 0.0, sum(noise.values())
        for layer in sorted(self.layers, key=lambda one: -noise.get(one.name, 0.0)):
            if heard >= every / 2 or len(found) == _MOST_MARKED:
                break
            found.append(layer)
            heard += noise.get(layer.name, 0.0)
        return tuple(found)


@dataclass(frozen=True)
class Trial:
    """Some layers that were kept float, and the accuracy with them."""

    keep_float: tuple[str, ...]
    accuracy: float | None
    drop: float | None


@dataclass(frozen=True)
class MixedPrecision:
    """The fewest layers kept float that bring the accuracy back within a stated drop.

    Attributes:
        keep_float: the layers.
        accuracy: with them, on the validation images.
        drop: accuracy lost against the float model, with the interval of the pair.
        parameters: numbers that stay float in these layers.
        total_parameters: numbers in all layers that can be quantized.
        met: whether the allowed drop was met.
        tried: every choice that was measured, in that order.
    """

    keep_float: tuple[str, ...]
    accuracy: float | None
    drop: Number | None
    float_accuracy: float | None
    parameters: int | None
    total_parameters: int | None
    max_drop: float | None
    met: bool
    scheme: str
    images: int
    tried: tuple[Trial, ...] = ()


def is_quantization_scan(record: Mapping[str, Any]) -> bool:
    """Says whether a record is that of a scan of quantization, and not of pruning."""
    return "quantized" in record


def read_quantization_scan(record: Fields) -> QuantizationScan:
    """Returns a scan from its record.

    Raises:
        RunError: the record holds something else.
    """
    return QuantizationScan(
        scheme=record.text("scheme", "int8"),
        accuracy=_number(record, "accuracy", "low", "high"),
        quantized=_point(record.fields("quantized")),
        images=record.integer("images") or 0,
        calibration=record.integer("calibration") or 0,
        layers=tuple(
            LayerNoise(
                layer.text("name"),
                layer.integer("parameters") or 0,
                _point(layer.fields("alone")),
                _point(layer.fields("without")),
            )
            for layer in record.objects("layers")
        ),
        kept_float=pairs(record, "kept_float"),
        notes=record.texts("notes"),
    )


def read_mixed(record: Fields) -> MixedPrecision:
    """Returns which layers stay float, from the record of the search for them.

    Raises:
        RunError: the record holds something else.
    """
    return MixedPrecision(
        keep_float=record.texts("keep_float"),
        accuracy=record.number("accuracy"),
        drop=_number(record, "drop", "drop_low", "drop_high"),
        float_accuracy=record.number("float_accuracy"),
        parameters=record.integer("parameters"),
        total_parameters=record.integer("total_parameters"),
        max_drop=record.number("max_drop"),
        met=record.content.get("met") is True,
        scheme=record.text("scheme", "int8"),
        images=record.integer("images") or 0,
        tried=tuple(
            Trial(trial.texts("keep_float"), trial.number("accuracy"), trial.number("drop"))
            for trial in record.objects("tried")
        ),
    )


def _point(record: Fields) -> NoisePoint:
    return NoisePoint(
        record.number("sqnr_db"),
        _number(record, "accuracy", "low", "high"),
        _number(record, "change", "change_low", "change_high"),
        record.number("agreement"),
    )


def _number(fields: Fields, value: str, low: str, high: str) -> Number | None:
    found = fields.number(value)
    return None if found is None else Number(found, fields.number(low), fields.number(high))
