"""The charts of a report as plain data; `_plotly` draws them for the page, `_png` for files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from trimtab.reporting import _formats as formats
from trimtab.reporting._data import Number, ReportData, ResultRow, Step
from trimtab.reporting._palette import KIND_COLOURS, SERIES_COLOURS

__all__ = ["Bar", "Bars", "Chart", "Curves", "Line", "Matrix", "Point", "Scatter", "charts"]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """A model or file in a scatter; `hover` is what is shown when it is pointed at, line by line."""

    name: str
    kind: str
    x: float
    y: float
    x_interval: Interval | None
    y_interval: Interval | None
    hover: tuple[str, ...]
    featured: bool = False
    best: bool = False


@dataclass(frozen=True)
class Chart:
    """What every chart has: a file name without ending, a title, and a text for who cannot see it."""

    key: str
    title: str
    alt: str


@dataclass(frozen=True)
class Scatter(Chart):
    """Points, with those on the best trade-off joined by a line."""

    points: tuple[Point, ...]
    x_title: str
    y_title: str
    log_x: bool


@dataclass(frozen=True)
class Line:
    """One step's curve over the epochs; None where an epoch was not recorded."""

    name: str
    epochs: tuple[int, ...]
    training: tuple[float | None, ...]
    validation: tuple[float | None, ...]
    colour: str
    best_epoch: int | None = None


@dataclass(frozen=True)
class Curves(Chart):
    """Training and validation curves of several models."""

    lines: tuple[Line, ...]
    y_title: str
    unit: str


@dataclass(frozen=True)
class Bar:
    """One bar; `shown` is the number written beside it."""

    label: str
    value: float
    shown: str
    interval: Interval | None = None


@dataclass(frozen=True)
class Bars(Chart):
    """Horizontal bars in one or more series, each ``(name, colour, bars)``."""

    series: tuple[tuple[str, str, tuple[Bar, ...]], ...]
    x_title: str
    start: float = 0.0
    stop: float | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of their first bar."""
        return tuple(dict.fromkeys(bar.label for _, _, bars in self.series for bar in bars))

    @property
    def lanes(self) -> tuple[int, ...]:
        """Each series' lane: series that never meet at a label share one, so that no gap is left."""
        taken: list[set[str]] = []
        chosen = []
        for _, _, bars in self.series:
            mine = {bar.label for bar in bars}
            free = next((lane for lane, labels in enumerate(taken) if not labels & mine), len(taken))
            if free == len(taken):
                taken.append(set())
            taken[free] |= mine
            chosen.append(free)
        return tuple(chosen)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where the x axis is marked, if it must end at a whole: 0, 20, ... 100 %."""
        return tuple(self.stop * fifth / 5 for fifth in range(6)) if self.stop is not None else ()

    @property
    def end(self) -> float:
        """Where the x axis ends: with room for the numbers beside the bars."""
        highest = max((bar.interval or (0.0, bar.value))[1] for _, _, bars in self.series for bar in bars)
        return self.start + (max(highest, self.stop or 0.0) - self.start) * 1.22


@dataclass(frozen=True)
class Matrix(Chart):
    """The confusion matrix: counts, and each row's shares as shade."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]


def charts(data: ReportData) -> tuple[Chart, ...]:
    """Returns the charts that the data suffices for, in the order of the page."""
    made: list[Chart | None] = [
        _scatter(data, "accuracy_against_size", "bytes"),
        _scatter(data, "accuracy_against_latency", "latency_ms"),
        _curves(data, "accuracy_curves", "accuracy"),
        _curves(data, "loss_curves", "loss"),
        _accuracy_bars(data),
        _size_bars(data),
        _quantized_bars(data),
        _matrix(data),
        _sparsity_bars(data),
        _count_bars(data),
    ]
    return tuple(chart for chart in made if chart is not None)


def run_date(data: ReportData) -> str:
    """Returns the day the run was made, ``YYYY-MM-DD``; ``undated`` where the run does not say."""
    try:
        return date.fromisoformat(data.created[:10]).isoformat()
    except ValueError:
        return "undated"


def file_word(text: str) -> str:
    """Returns a text as a part of a file name: letters, digits, dots, dashes and underscores."""
    kept = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in text)
    return kept.strip("._") or "run"


def _scatter(data: ReportData, key: str, measure: str) -> Scatter | None:
    found = [(row, row.value(measure), row.value("accuracy")) for row in data.rows]
    known = [(row, x, y) for row, x, y in found if x is not None and x > 0 and y is not None]
    if not known:
        return None
    scale = 1e-3 if measure == "bytes" else 1.0
    points = tuple(
        Point(
            name=row.name,
            kind=row.kind,
            x=scale * x,
            y=100 * y,
            x_interval=_scaled(row.numbers[measure], scale),
            y_interval=_scaled(row.numbers["accuracy"], 100),
            hover=_hover(row),
            featured=row.name == data.featured,
            best=_undominated(x, y, [(other_x, other_y) for _, other_x, other_y in known]),
        )
        for row, x, y in known
    )
    smallest, largest = min(point.x for point in points), max(point.x for point in points)
    size = measure == "bytes"
    best = ", ".join(point.name for point in points if point.best)
    return Scatter(
        key=key,
        title=f"Accuracy against {'size' if size else 'latency'}",
        alt=f"Scatter of accuracy against {'file size' if size else 'latency'}. "
        f"Nothing measured is both better and {'smaller' if size else 'faster'} than: {best}.",
        points=points,
        x_title="File size (kB)" if size else "Latency (ms per image)",
        y_title="Test accuracy (%)",
        log_x=largest > 3 * smallest,
    )


def _undominated(x: float, y: float, others: list[tuple[float, float]]) -> bool:
    """Says whether nothing else is at least as good on both axes and better on one."""
    return not any(ox <= x and oy >= y and (ox < x or oy > y) for ox, oy in others)


def _scaled(number: Number, scale: float) -> Interval | None:
    return None if number.interval is None else (scale * number.interval[0], scale * number.interval[1])


def _hover(row: ResultRow) -> tuple[str, ...]:
    lines = [row.did] if row.did else []
    accuracy, latency = row.numbers.get("accuracy"), row.numbers.get("latency_ms")
    if accuracy is not None:
        lines.append(
            f"accuracy {formats.percent(accuracy.value)} ({formats.interval(accuracy, 100) or 'no interval'})"
        )
    if (difference := row.value("accuracy_difference")) is not None:
        lines.append(f"{formats.points(difference)} points against the baseline")
    lines.append(
        f"{'file' if row.kind == 'litert' else 'Keras file'} {formats.size(row.value('bytes'))}, "
        f"gzip {formats.size(row.value('gzip_bytes'))}"
    )
    if latency is not None:
        lines.append(
            f"{formats.milliseconds(latency.value)} ms per image ({formats.interval(latency, digits=None)})"
        )
    lines.append(
        f"{formats.count(row.value('non_zeros'))} non-zeros, {formats.count(row.value('macs'))} MACs"
    )
    return tuple(lines)


def _curves(data: ReportData, key: str, measure: str) -> Curves | None:
    lines = []
    scale = 100.0 if measure == "accuracy" else 1.0
    for number, step in enumerate(curve_steps(data)):
        training = tuple(_times(getattr(point, measure), scale) for point in step.history)
        validation = tuple(_times(getattr(point, f"val_{measure}"), scale) for point in step.history)
        if any(value is not None for value in (*training, *validation)):
            epochs = tuple(point.epoch for point in step.history)
            colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
            lines.append(Line(step.name, epochs, training, validation, colour, step.best_epoch))
    if not lines:
        return None
    names = ", ".join(line.name for line in lines)
    return Curves(
        key=key,
        title=f"{measure.capitalize()} over the epochs",
        alt=f"Curves of training and validation {measure} over the epochs for {names}.",
        lines=tuple(lines),
        y_title="Accuracy (%)" if measure == "accuracy" else "Loss (cross-entropy)",
        unit=" %" if measure == "accuracy" else "",
    )


def curve_steps(data: ReportData) -> tuple[Step, ...]:
    """Returns the steps whose curves are compared: those that the recipe names, or all that trained."""
    trained = tuple(step for step in data.steps if step.history and step.do != "select")
    named = tuple(step for step in data.steps if step.history and step.name in data.curves)
    return named or trained


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value


def _accuracy_bars(data: ReportData) -> Bars | None:
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


def _size_bars(data: ReportData) -> Bars | None:
    series = []
    pairs = (("file", "bytes", SERIES_COLOURS[0]), ("gzip of it", "gzip_bytes", SERIES_COLOURS[4]))
    for name, measure, colour in pairs:
        series.append((name, colour, _sizes(data.rows, lambda row, measure=measure: row.value(measure))))  # type: ignore[misc]
    kept = tuple(entry for entry in series if entry[2])
    if not kept:
        return None
    told = ", ".join(f"{bar.label} {bar.shown}" for bar in kept[0][2])
    return Bars("size", "Size of each file, raw and gzipped", f"File sizes: {told}.", kept, "Size (kB)")


def _quantized_bars(data: ReportData) -> Bars | None:
    """Compares the deployable files by scheme with the Keras file they were made from."""
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


def _matrix(data: ReportData) -> Matrix | None:
    confusion = data.confusion
    if confusion is None:
        return None
    images = sum(map(sum, confusion.counts))
    shares = tuple(tuple(cell / max(sum(line), 1) for cell in line) for line in confusion.counts)
    pairs = "; ".join(
        f"{pair.true} taken for {pair.predicted} {pair.count} times" for pair in confusion.pairs[:3]
    )
    return Matrix(
        key=f"{file_word(data.project)}_confusion_matrix_blues_{run_date(data)}",
        title=f"Confusion matrix of {confusion.row}",
        alt=f"Confusion matrix of {confusion.row} on {images:,} test images. {pairs}.",
        names=data.class_names,
        counts=confusion.counts,
        shares=shares,
    )


def _sparsity_bars(data: ReportData) -> Bars | None:
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


def _count_bars(data: ReportData) -> Bars | None:
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
