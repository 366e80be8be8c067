"""What the page says of a scan of quantization: each layer in numbers, and which ones to keep float."""

from __future__ import annotations

from typing import Any

from trimtab.reporting import _formats as formats
from trimtab.reporting._data import ReportData, Step
from trimtab.reporting._quantization_map import decibels, whole_models
from trimtab.reporting._quantization_scan import (
    LayerNoise,
    MixedPrecision,
    NoisePoint,
    QuantizationScan,
    Trial,
)
from trimtab.reporting._wording import listed

__all__ = ["quantization_sections"]

_NAMED = 4  # layers of a choice that are named in the table


def quantization_sections(data: ReportData) -> list[dict[str, Any]]:
    """Returns what the template shows of each scan of quantization."""
    return [
        _section(step, step.quantization)
        for step in data.steps
        if step.quantization is not None and step.quantization.layers
    ]


def _section(step: Step, scan: QuantizationScan) -> dict[str, Any]:
    worst = {layer.name for layer in scan.worst}
    return {
        "name": step.name,
        "source": step.source or "the model",
        "scheme": scan.scheme,
        "whole": whole_models(scan),
        "chart": f"quantization_{step.name}",
        "rows": [*_whole(scan), *(_row(layer, layer.name in worst) for layer in scan.layers)],
        "marked": "the noisiest, those that are marked in the picture",
        "mixed": _mixed(step.mixed) if step.mixed is not None else None,
        "kept_float": scan.kept_float,
        "notes": scan.notes,
    }


def _whole(scan: QuantizationScan) -> list[dict[str, Any]]:
    """Returns the lines of the whole model, float and quantized."""
    float_model = NoisePoint(accuracy=scan.accuracy)
    lines = (("float model", float_model), (f"all layers {scan.scheme}", scan.quantized))
    return [
        {
            "name": name,
            "detail": "",
            "parameters": formats.NOTHING,
            "points": [_point(point), (formats.NOTHING, formats.NOTHING, "")],
            "marked": False,
        }
        for name, point in lines
        if point.accuracy is not None
    ]


def _row(layer: LayerNoise, marked: bool) -> dict[str, Any]:
    return {
        "name": layer.name,
        "detail": "" if layer.parameters else "no weights",
        "parameters": f"{layer.parameters:,}" if layer.parameters else formats.NOTHING,
        "points": [_point(layer.alone), _point(layer.without)],
        "marked": marked,
    }


def _point(point: NoisePoint) -> tuple[str, str, str]:
    """Returns noise, accuracy and its interval as text."""
    noise = "none" if point.sqnr_db is not None and not point.noisy else decibels(point.sqnr_db)
    accuracy = formats.percent(point.accuracy.value if point.accuracy else None)
    return noise, accuracy, formats.interval(point.accuracy, 100)


def _mixed(mixed: MixedPrecision) -> dict[str, Any]:
    """Returns which layers are to stay float, what that buys, and what was tried."""
    return {
        "title": _title(mixed),
        "told": _told(mixed),
        "tried": [_trial(trial, mixed) for trial in mixed.tried],
    }


def _title(mixed: MixedPrecision) -> str:
    if not mixed.met:
        return "No choice of float layers brings the accuracy back"
    if not mixed.keep_float:
        return "No layer needs to stay float"
    number = len(mixed.keep_float)
    return (
        f"{number} layers kept float bring it back" if number > 1 else "One layer kept float brings it back"
    )


def _told(mixed: MixedPrecision) -> str:
    """Says which layers stay float, the accuracy with them, and how much stays float for it."""
    allowed = (
        f"{formats.points(mixed.max_drop).lstrip('+±')} points" if mixed.max_drop is not None else "the limit"
    )
    accuracy = f"{formats.percent(mixed.accuracy)} of {mixed.images:,} validation images right"
    against = f", float {formats.percent(mixed.float_accuracy)}" if mixed.float_accuracy is not None else ""
    lost = _lost(mixed)
    if not mixed.keep_float:
        return f"All layers {mixed.scheme}: {accuracy}{against}{lost}; {allowed} were allowed."
    whole = mixed.total_parameters
    share = (
        f", {formats.share(mixed.parameters / whole)} of all"
        if whole and mixed.parameters is not None
        else ""
    )
    held = (
        f" They hold {formats.count(mixed.parameters)} parameters{share}"
        if mixed.parameters is not None
        else ""
    )
    bytes_more = _bytes_more(mixed)
    names = listed(list(mixed.keep_float))
    ended = (
        f"; at most {allowed} were allowed." if mixed.met else f"; even so more than the {allowed} allowed."
    )
    return (
        f"Float: {names}. With them {accuracy}{against}{lost}{ended}{held}{bytes_more}{'.' if held else ''}"
    )


def _lost(mixed: MixedPrecision) -> str:
    """Says how much accuracy is lost, with its interval."""
    if mixed.drop is None:
        return ""
    between = formats.interval(mixed.drop, 100)
    shown = formats.points(-mixed.drop.value)
    return f" ({shown} points" + (f"; 95 % interval of the loss {between})" if between else ")")


def _bytes_more(mixed: MixedPrecision) -> str:
    """Says what float weights add to a file, by their bits; counted, not measured."""
    bits = {"int8": 8, "int4": 4}.get(mixed.scheme.removesuffix("-float-io"))
    if not bits or not mixed.parameters:
        return ""
    return f": {formats.size(mixed.parameters * (32 - bits) / 8)} more in a file"


def _trial(trial: Trial, mixed: MixedPrecision) -> tuple[str, str, str, str, bool]:
    """Returns one choice as text: layers, accuracy, change, whether it was enough, whether it was taken."""
    shown, left = trial.keep_float[:_NAMED], len(trial.keep_float) - _NAMED
    names = ", ".join(shown) + (f" and {left} more" if left > 0 else "") or "none"
    drop = formats.NOTHING if trial.drop is None else formats.points(-trial.drop)
    known = trial.drop is not None and mixed.max_drop is not None
    enough = ("yes" if (trial.drop or 0.0) <= (mixed.max_drop or 0.0) + 1e-12 else "no") if known else ""
    return (
        names,
        formats.percent(trial.accuracy),
        drop,
        enough,
        set(trial.keep_float) == set(mixed.keep_float),
    )
