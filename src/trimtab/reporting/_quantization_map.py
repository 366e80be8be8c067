"""Which layer hurts when a model is quantized: each layer a row, and the noise that it makes on one scale."""

from __future__ import annotations

from trimtab.reporting import _formats as formats
from trimtab.reporting._chart import DotRow, Dots
from trimtab.reporting._data import ReportData
from trimtab.reporting._palette import SERIES_COLOURS
from trimtab.reporting._quantization_scan import LayerNoise, NoisePoint, QuantizationScan

__all__ = ["decibels", "quantization_map", "quantization_maps", "quantization_title", "whole_models"]

_BLUE, _ORANGE, _GREEN = SERIES_COLOURS[:3]
_LONGEST = 36  # letters of a layer's name


def quantization_maps(data: ReportData) -> tuple[Dots, ...]:
    """Returns the chart of each scan of quantization of a run."""
    return tuple(
        quantization_map(
            step.quantization,
            f"quantization_{step.name}",
            quantization_title(step.quantization.scheme, step.source or ""),
        )
        for step in data.steps
        if step.quantization is not None and step.quantization.layers
    )


def quantization_title(scheme: str, model: str = "") -> str:
    """Returns the title of such a chart."""
    return f"Noise that each layer{f' of {model}' if model else ''} adds in {scheme}"


def quantization_map(scan: QuantizationScan, key: str, title: str) -> Dots:
    """Returns a scan as a dot plot: signal to noise of each layer alone, and of all but it.

    Args:
        scan: what was measured.
        key: name of the picture's file, without its ending.
        title: of the picture.
    """
    worst = {layer.name for layer in scan.worst}
    noise = scan.quantized.sqnr_db
    return Dots(
        key=key,
        title=title,
        alt=_alt(scan, title),
        subtitle=whole_models(scan),
        rows=tuple(_row(layer, layer.name in worst) for layer in scan.layers),
        series=(("only this one quantized", _BLUE), ("all but this one", _GREEN)),
        marked=(f"only this one: {_marked(scan)}", _ORANGE),
        reference=("all layers quantized", noise) if noise is not None and scan.quantized.noisy else None,
        x_title="Signal to quantization noise of the outputs (dB; 10 dB less is ten times the noise)",
        y_title="Layer · parameters",
    )


def decibels(value: float | None) -> str:
    """Returns a ratio in decibels as text, without its unit."""
    return formats.NOTHING if value is None else f"{value:.1f}".replace("-", "−")


def _marked(scan: QuantizationScan) -> str:
    """Says what the marked layers are."""
    worst = scan.worst
    if len(worst) < 2:
        return "the noisiest"
    heard, every = (
        sum(10.0 ** (-(one.alone.sqnr_db or 0.0) / 10) for one in some) for some in (worst, scan.layers)
    )
    return "half of the noise" if heard >= every / 2 else f"the {len(worst)} noisiest"


def _row(layer: LayerNoise, marked: bool) -> DotRow:
    alone, without = layer.alone, layer.without
    told = ""
    if marked and alone.noisy:
        change = f", {formats.points(alone.change.value)} points" if alone.change is not None else ""
        told = f"alone {decibels(alone.sqnr_db)} dB{change}"
    weights = f"{layer.parameters:,} parameters" if layer.parameters else "a tensor that is rounded"
    return DotRow(
        name=_shortened(layer.name),
        detail=formats.count(layer.parameters) if layer.parameters else "",
        values=tuple(point.sqnr_db if point.noisy else None for point in (alone, without)),
        marked=marked,
        told=told,
        hover=(
            f"{layer.name}, {weights}",
            f"alone: {_told(alone)}",
            f"all but it: {_told(without)}",
        ),
    )


def _told(point: NoisePoint) -> str:
    noise = f"{decibels(point.sqnr_db)} dB" if point.noisy else "no noise"
    if point.accuracy is None:
        return noise
    between = formats.interval(point.accuracy, 100)
    accuracy = f"accuracy {formats.percent(point.accuracy.value)}" + (f" ({between})" if between else "")
    return f"{noise}, {accuracy}"


def whole_models(scan: QuantizationScan) -> str:
    """Says how the whole model does, quantized and float."""
    quantized, whole = scan.quantized, scan.accuracy
    between = f" ({formats.interval(whole, 100)})" if whole is not None and whole.interval else ""
    told = formats.percent(quantized.accuracy.value if quantized.accuracy else None)
    noise = f"{decibels(quantized.sqnr_db)} dB, " if quantized.noisy else ""
    return (
        f"All layers {scan.scheme}: {noise}{told} of {scan.images:,} validation images right; "
        f"float: {formats.percent(whole.value if whole else None)}{between}"
    )


def _alt(scan: QuantizationScan, title: str) -> str:
    """Says the most telling rows in words."""
    told = "; ".join(f"{layer.name} {decibels(layer.alone.sqnr_db)} dB" for layer in scan.worst)
    return f"{title}. {whole_models(scan)}. Alone, it is most in: {told or 'none'}."


def _shortened(name: str) -> str:
    """Returns a long name without its middle: the block stands in front, the layer at the end."""
    return name if len(name) <= _LONGEST else f"{name[:15]}…{name[16 - _LONGEST :]}"
