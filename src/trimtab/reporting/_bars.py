"""Accuracies, sizes, zeros and images per class, side by side as bars."""

from __future__ import annotations

from collections.abc import Callable

from trimtab.reporting import _formats as formats
from trimtab.reporting._chart import Bar, Bars, Interval
from trimtab.reporting._data import Number, ReportData, ResultRow
from trimtab.reporting._palette import KIND_COLOURS, SERIES_COLOURS

__all__ = ["accuracy_bars", "count_bars", "quantized_bars", "size_bars", "zero_bars"]


def accuracy_bars(data: ReportData) -> Bars | None:
    """Returns the accuracies with their intervals, Keras models and files in their colours."""
    rows = [row for row in data.rows if row.value("accuracy") is not None]
    if not rows:
        return None
    series = []
    for kind, name in (("keras", "Keras model"), ("litert", "LiteRT file")):
        bars = tuple(
            Bar(row.name, 100 * number.value, formats.percent(number.value), _scaled(number, 100))
            for row in rows
            if row.kind == kind and (number := row.numbers["accuracy"])
        )
        if bars:
            series.append((name, KIND_COLOURS[kind], bars))
    lowest = min((bar.interval or (bar.value,))[0] for _, _, bars in series for bar in bars)
    told = ", ".join(f"{row.name} {formats.percent(row.value('accuracy'))}" for row in rows)
    return Bars(
        key="accuracy",
        title="Accuracy with its 95 % interval",
        alt=f"Accuracy with 95 % intervals: {told}.",
        series=tuple(series),
        x_title="Test accuracy (%)",
        start=_below(lowest),
    )


def _below(lowest: float) -> float:
    """Returns a round number where an axis of close accuracies begins, so that they can be told apart."""
    return max(0.0, 5.0 * ((lowest - 4.0) // 5.0)) if lowest > 60 else 0.0


def size_bars(data: ReportData) -> Bars | None:
    """Returns the size of each file as it is, and gzipped."""
    series = []
    pairs = (("file", "bytes", SERIES_COLOURS[0]), ("gzip of it", "gzip_bytes", SERIES_COLOURS[4]))
    for name, measure, colour in pairs:
        series.append((name, colour, _sizes(data.rows, lambda row, measure=measure: row.value(measure))))  # type: ignore[misc]
    kept = tuple(entry for entry in series if entry[2])
    if not kept:
        return None
    told = ", ".join(f"{bar.label} {bar.shown}" for bar in kept[0][2])
    return Bars("size", "Size of each file, raw and gzipped", f"File sizes: {told}.", kept, "Size (kB)")


def quantized_bars(data: ReportData) -> Bars | None:
    """Returns the size of each deployable file beside that of the Keras file it was made from."""
    files = tuple(row for row in data.rows if row.kind == "litert")
    if not any(row.scheme != "float32" for row in files):
        return None
    series = []
    keras = _sizes(files, lambda row: row.keras_bytes)
    if keras:
        series.append(("Keras file it was made from", "#9aa3af", keras))
    for number, scheme in enumerate(dict.fromkeys(row.scheme for row in files)):
        chosen = tuple(row for row in files if row.scheme == scheme)
        colour = SERIES_COLOURS[(number + 1) % len(SERIES_COLOURS)]
        series.append((f"{scheme} file", colour, _sizes(chosen, lambda row: row.value("bytes"))))
    told = ", ".join(f"{row.name} {formats.size(row.value('bytes'))}" for row in files)
    kept = tuple(entry for entry in series if entry[2])
    return Bars(
        "quantized_size", "Size before and after quantization", f"Deployed sizes: {told}.", kept, "Size (kB)"
    )


def _sizes(rows: tuple[ResultRow, ...], measure: Callable[[ResultRow], float | None]) -> tuple[Bar, ...]:
    found = [(row.name, measure(row)) for row in rows]
    return tuple(Bar(name, value / 1e3, formats.size(value)) for name, value in found if value is not None)


def zero_bars(data: ReportData) -> Bars | None:
    """Returns the share of zeros in each pruned layer."""
    pruned = [step for step in data.steps if step.layers]
    if not pruned:
        return None
    several = len({layer.weight for step in pruned for layer in step.layers}) > 1
    series = []
    for number, step in enumerate(pruned):
        bars = tuple(
            Bar(
                f"{layer.name}/{layer.weight}" if several and layer.weight else layer.name,
                100 * layer.share,
                f"{formats.share(layer.share)} of {formats.count(layer.size)}",
            )
            for layer in step.layers
        )
        series.append((step.name, SERIES_COLOURS[(number + 2) % len(SERIES_COLOURS)], bars))
    told = "; ".join(f"{bar.label} {bar.shown}" for _, _, bars in series for bar in bars)
    return Bars(
        "sparsity",
        "Zeros in each layer after pruning",
        f"Zeros by layer: {told}.",
        tuple(series),
        "Zeros (%)",
        0.0,
        100.0,
    )


def count_bars(data: ReportData) -> Bars | None:
    """Returns how many images of each class each part of the data has."""
    series = []
    for number, (part, counts) in enumerate(data.counts.items()):
        pairs = zip(data.class_names, counts, strict=False)
        bars = tuple(Bar(name, value, f"{value:,}") for name, value in pairs)
        if bars:
            series.append((part, SERIES_COLOURS[(0, 4, 5)[number % 3]], bars))
    if not series:
        return None
    told = "; ".join(f"{part}: {sum(counts):,}" for part, counts in data.counts.items())
    return Bars(
        "class_counts", "Images per class", f"Images per class. In all {told}.", tuple(series), "Images"
    )


def _scaled(number: Number, scale: float) -> Interval | None:
    return None if number.interval is None else (scale * number.interval[0], scale * number.interval[1])
