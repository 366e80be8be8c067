"""Accuracy against what it costs: one point for each model or file."""

from __future__ import annotations

from trimtab.reporting import _formats as formats
from trimtab.reporting._chart import Interval, Point, Scatter
from trimtab.reporting._data import Number, ReportData, ResultRow

__all__ = ["accuracy_against"]


def accuracy_against(data: ReportData, measure: str) -> Scatter | None:
    """Returns accuracy against ``"bytes"`` or ``"latency_ms"``; None where neither was measured.

    Times of Keras models are those of another runtime, so they are left out where there are files.
    """
    size = measure == "bytes"
    files = [row for row in data.rows if row.kind == "litert" and row.value(measure)]
    rows = data.rows if size or not files else files
    found = [(row, row.value(measure), row.value("accuracy")) for row in rows]
    known = [(row, x, y) for row, x, y in found if x is not None and x > 0 and y is not None]
    if not known:
        return None
    others = [(x, y) for _, x, y in known]
    points = tuple(
        _point(row, measure, 1e-3 if size else 1.0, row.name == data.featured, _undominated(x, y, others))
        for row, x, y in known
    )
    smallest, largest = min(point.x for point in points), max(point.x for point in points)
    best = ", ".join(point.name for point in points if point.best)
    return Scatter(
        key=f"accuracy_against_{'size' if size else 'latency'}",
        title=f"Accuracy against {'size' if size else 'latency'}",
        alt=f"Scatter of accuracy against {'file size' if size else 'latency'}. "
        f"Nothing measured is both better and {'smaller' if size else 'faster'} than: {best}.",
        points=points,
        x_title="File size (kB)" if size else "Latency (ms per image)",
        y_title="Test accuracy (%)",
        log_x=largest > 3 * smallest,
    )


def _point(row: ResultRow, measure: str, scale: float, featured: bool, best: bool) -> Point:
    x, y = row.numbers[measure], row.numbers["accuracy"]
    return Point(
        name=row.name,
        kind=row.kind,
        x=scale * x.value,
        y=100 * y.value,
        x_interval=_scaled(x, scale),
        y_interval=_scaled(y, 100),
        hover=_hover(row),
        featured=featured,
        best=best,
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
