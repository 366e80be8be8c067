"""What the page says of training for integers: what it was worth, its ranges, and its file's parity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trimtab.reporting import _formats as formats
from trimtab.reporting._against import difference, predictions_of
from trimtab.reporting._aware import QuantizeAware, TensorRange
from trimtab.reporting._comparing import control_of
from trimtab.reporting._data import FileRecord, ReportData, ResultRow, Step
from trimtab.reporting._export_words import ranges_chosen
from trimtab.reporting._steps import origin

__all__ = ["aware_sections"]

_FOLLOW = {
    "moving-average": "follow the extremes of the batches, as a moving average",
    "learned": "learned by gradient, the steps of the kernels too",
}


def aware_sections(data: ReportData) -> list[dict[str, Any]]:
    """Returns what the template shows of each step that trained for integers."""
    steps = [step for step in data.steps if step.aware is not None]
    predictions = predictions_of(data) if steps else {}
    return [_section(data, step, step.aware, predictions) for step in steps if step.aware is not None]


def _section(
    data: ReportData, step: Step, aware: QuantizeAware, predictions: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    twin = control_of(step, data.steps)
    files = [(other, other.file) for other in data.steps if other.file and other.source == step.name]
    return {
        "name": step.name,
        "source": step.source or "the model",
        "twin": twin.name if twin is not None else "",
        "trained": bool(step.history),
        "facts": _facts(step, aware),
        "rows": _rows(data, step, twin, predictions),
        "files": [_parity(data, other.name, file) for other, file in files],
        "kept_float": aware.kept_float,
        "ranges": [_range(entry) for entry in aware.ranges],
    }


def _facts(step: Step, aware: QuantizeAware) -> list[tuple[str, str]]:
    """Returns how it was trained, as pairs of words."""
    bits = f"{aware.weights_bits}-bit integers" if aware.weights_bits else ""
    first = ranges_chosen(aware.calibration_method)
    images = f", on {aware.calibration_images:,} training images" if aware.calibration_images else ""
    facts = [
        ("Kernels", bits),
        ("First ranges", first + images if first else ""),
        ("Then", _FOLLOW.get(aware.ranges_method, aware.ranges_method) if step.history else ""),
        ("Stood still", _still(step, aware)),
        ("Teacher", aware.teacher or ("none, the labels alone" if step.history else "")),
        ("Rounded", f"{len(aware.ranges)} tensors" if aware.ranges else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _still(step: Step, aware: QuantizeAware) -> str:
    """Says in which epochs the ranges did not move."""
    last = len(step.history)
    if not last:
        return "not trained"
    if aware.frozen_from is None or aware.frozen_from > last:
        return "never: they moved in each epoch"
    if aware.frozen_from == last:
        return f"in the last epoch, {last}"
    return f"in epochs {aware.frozen_from} to {last}"


def _rows(
    data: ReportData, step: Step, twin: Step | None, predictions: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Returns the models and files that it is compared with, each beside its own like."""
    own = data.row(step.name)
    found: list[dict[str, Any]] = []
    entries = [(own, f"{'trained' if step.history else 'calibrated'} for integers")]
    entries.append((data.row(twin.name) if twin is not None else None, "as many epochs without"))
    before = origin(data.steps, step.source)
    entries.append((data.row(before.name) if before is not None else None, "the model before"))
    found += [_line(row, role, own, predictions) for row, role in entries if row is not None]
    for mine in _files(data, step):
        found.append(_line(mine, f"its {mine.scheme} file", mine, predictions))
        for other, whose in ((twin, "as many epochs without, calibrated"), (before, "before, calibrated")):
            if other is None:
                continue
            found += [
                _line(row, _kept(data, row, whose), mine, predictions)
                for row in _files(data, other)
                if row.scheme == mine.scheme
            ]
    return found


def _files(data: ReportData, step: Step) -> list[ResultRow]:
    """Returns the measured files that were made from a step's model as it is."""
    made = [(row, origin(data.steps, row.name)) for row in data.rows if row.kind == "litert"]
    return [row for row, maker in made if maker is not None and maker.name == step.name]


def _kept(data: ReportData, row: ResultRow, whose: str) -> str:
    """Says of a file that it keeps layers float, where it does."""
    step = data.step(row.name)
    kept = step is not None and any(name == "kept float" for name, _ in step.remarks)
    return f"{whose}, some layers float" if kept else whose


def _line(
    row: ResultRow, role: str, own: ResultRow | None, predictions: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Returns a line of the comparison."""
    points, p = difference(own, row, predictions) if own is not None else (formats.NOTHING, "")
    return {
        "name": row.name,
        "kind": row.kind,
        "role": role,
        "own": own is not None and row.name == own.name,
        "size": formats.size(row.value("bytes")),
        "accuracy": formats.percent(row.value("accuracy")),
        "between": formats.interval(row.numbers.get("accuracy"), 100),
        "points": points,
        "p": p,
        "training": formats.seconds(row.value("training_seconds"))
        if row.kind == "keras"
        else formats.NOTHING,
    }


def _parity(data: ReportData, name: str, file: FileRecord) -> dict[str, Any]:
    """Returns how near a file is to the model that it was made from."""
    parity = file.parity
    steps, agreement, images = (parity.get(key) for key in ("max_error_steps", "top1_agreement", "images"))
    inside = parity.get("float_tensors")
    row = data.row(name)
    return {
        "name": name,
        "scheme": file.scheme,
        "agreement": formats.percent(agreement, 2) if _is_number(agreement) else formats.NOTHING,
        "images": f"of {images:,} images" if _is_number(images) else "",
        "steps": f"{steps:.3g}" if _is_number(steps) else formats.NOTHING,
        "float": f"{len(inside)}" if isinstance(inside, list) else formats.NOTHING,
        "size": formats.size(file.bytes),
        "accuracy": formats.percent(row.value("accuracy")) if row is not None else formats.NOTHING,
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _range(entry: TensorRange) -> tuple[str, str, str, str, str, str]:
    """Returns the range of a tensor as text."""
    shown = [
        formats.NOTHING if end is None else f"{end:.4g}".replace("-", "−") for end in (entry.low, entry.high)
    ]
    step = formats.NOTHING if entry.step is None else f"{entry.step:.3g}"
    layers = ", ".join(entry.layers)
    return entry.name, layers, *shown, step, "prescribed by LiteRT" if entry.fixed else ""  # type: ignore[return-value]
