"""What a scan of quantization found: for each layer, what quantizing it costs and what sparing it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from trimtab._records import to_plain
from trimtab.errors import DataError

__all__ = ["LayerQuantization", "QuantizationPoint", "QuantizationSensitivity"]


@dataclass(frozen=True)
class QuantizationPoint:
    """How the model does with some of its quantizers on, beside the float model on the same images.

    Args:
        sqnr_db: signal to quantization noise of the outputs in decibels: 10 log10 of the mean square of the
            float model's outputs over that of the difference; at most 200, where nothing differs.
        agreement: share of the images that get the float model's class, in [0, 1].
        accuracy: share of the images classified rightly, in [0, 1].
        low: lower end of its 95 % interval (Wilson).
        high: upper end of it.
        change: accuracy less that of the float model; below 0 where quantizing hurts.
        change_low: lower end of its 95 % interval (Tango, for two answers to the same images).
        change_high: upper end of it.
        loss: mean cross-entropy in nats.
    """

    sqnr_db: float
    agreement: float
    accuracy: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float
    loss: float


@dataclass(frozen=True)
class LayerQuantization:
    """What quantizing one layer does to the model.

    Args:
        name: the layer in the model that was given; inside nested models ``"outer/inner"``.
        parameters: how many numbers its quantized weights and biases hold; 0 for one that has none, such as
            an Add.
        alone: only this layer quantized, all others float.
        without: all layers quantized but this one.
    """

    name: str
    parameters: int
    alone: QuantizationPoint
    without: QuantizationPoint


@dataclass(frozen=True)
class QuantizationSensitivity:
    """What `sensitivity` found.

    Args:
        scheme: the scheme that was scanned, such as ``"int8"``.
        accuracy: of the float model, on the same images, in [0, 1].
        low: lower end of its 95 % interval (Wilson).
        high: upper end of it.
        loss: mean cross-entropy of the float model in nats.
        quantized: all layers quantized.
        images: how many validation images judged.
        calibration: how many training images the ranges were calibrated with.
        layers: in the order of the model.
        kept_float: layers that cannot be quantized, each with the reason.
        notes: plain sentences about what was done.
    """

    scheme: str
    accuracy: float
    low: float
    high: float
    loss: float
    quantized: QuantizationPoint
    images: int
    calibration: int
    layers: tuple[LayerQuantization, ...]
    kept_float: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ranked(self) -> tuple[LayerQuantization, ...]:
        """The layers, the one that hurts most alone first: by SQNR, which is finer than accuracy."""
        return tuple(sorted(self.layers, key=lambda layer: layer.alone.sqnr_db))

    def to_data(self) -> dict[str, Any]:
        """Returns it as plain data for JSON; `from_record` makes it again."""
        return dict(to_plain(self))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Makes it from plain data, as `to_data` gave it.

        Raises:
            DataError: the data is not that of a scan.
        """
        try:
            layers = tuple(
                LayerQuantization(
                    str(layer["name"]),
                    int(layer["parameters"]),
                    _read_point(layer["alone"]),
                    _read_point(layer["without"]),
                )
                for layer in record["layers"]
            )
            rest = {
                **record,
                "layers": layers,
                "quantized": _read_point(record["quantized"]),
                "kept_float": tuple((str(name), str(why)) for name, why in record.get("kept_float", ())),
                "notes": tuple(record.get("notes", ())),
            }
            return cls(**rest)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"The record is not that of a quantization scan ({type(error).__name__}: {error}). "
                "Scan again."
            ) from None

    def __str__(self) -> str:
        """Returns a table: a line for each layer, in the order of the model."""
        width = max([len("layer"), *(len(layer.name) for layer in self.layers)])
        lines = [
            f"{self.scheme}: {self.quantized.accuracy:.1%} of {self.images} validation images, float "
            f"{self.accuracy:.1%} ({self.low:.1%} to {self.high:.1%}); SQNR {self.quantized.sqnr_db:.1f} dB",
            f"{'':{width}}  {'':>10}  {'quantized alone':>18}  {'all but this':>18}",
            f"{'layer':{width}}  {'parameters':>10}  {'SQNR dB':>8} {'accuracy':>9}  "
            f"{'SQNR dB':>8} {'accuracy':>9}",
        ]
        for layer in self.layers:
            alone, without = layer.alone, layer.without
            lines.append(
                f"{layer.name:{width}}  {layer.parameters:>10,}  {alone.sqnr_db:>8.1f} "
                f"{alone.accuracy:>9.1%}  {without.sqnr_db:>8.1f} {without.accuracy:>9.1%}"
            )
        lines += [f"{name} stays float: {why}" for name, why in self.kept_float]
        return "\n".join(lines)


def _read_point(content: Mapping[str, Any]) -> QuantizationPoint:
    """Returns a point of plain data; raises `TypeError` where a number is missing."""
    return QuantizationPoint(**{name: float(value) for name, value in content.items()})
