"""The result table: its columns, what they mean, and the text of each cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trimtab.reporting import _formats as formats
from trimtab.reporting._data import Number, ReportData, ResultRow

__all__ = ["COLUMNS", "Cell", "Column", "cells", "result_rows"]


@dataclass(frozen=True)
class Cell:
    """One cell: what is read first, and the small print under it."""

    text: str
    detail: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its header with unit, what it means in one line, and how a cell is written."""

    header: str
    unit: str
    meaning: str
    cell: Callable[[ResultRow], Cell]


def result_rows(data: ReportData) -> tuple[list[str], list[list[str]]]:
    """Returns the result table as plain text, for a terminal: headers, and one list of cells a row.

    Columns that no row has a number for are left out.
    """
    columns = shown_columns(data)
    headers = ["model", *(_header(column) for column in columns)]
    rows = [[row.name, *(_joined(column.cell(row)) for column in columns)] for row in data.rows]
    return headers, rows


def shown_columns(data: ReportData) -> tuple[Column, ...]:
    """Returns the columns that at least one row has a number for."""
    return tuple(
        column for column in COLUMNS if any(column.cell(row).text != formats.NOTHING for row in data.rows)
    )


def cells(data: ReportData, row: ResultRow) -> list[Cell]:
    """Returns the cells of one row, in the order of `shown_columns`."""
    return [column.cell(row) for column in shown_columns(data)]


def _header(column: Column) -> str:
    return f"{column.header} ({column.unit})" if column.unit else column.header


def _joined(cell: Cell) -> str:
    return f"{cell.text} ({cell.detail})" if cell.detail else cell.text


def _accuracy(row: ResultRow) -> Cell:
    number = row.numbers.get("accuracy")
    return Cell(formats.percent(row.value("accuracy")), formats.interval(number, 100))


def _difference(row: ResultRow) -> Cell:
    value = row.value("accuracy_difference")
    p = row.value("accuracy_p")
    return Cell(formats.points(value), formats.p_value(p) if value is not None and p is not None else "")


def _deployed(row: ResultRow) -> Cell:
    return Cell(formats.size(row.value("bytes")) if row.kind == "litert" else formats.NOTHING)


def _keras(row: ResultRow) -> Cell:
    size = row.value("bytes") if row.kind == "keras" and row.keras_bytes is None else row.keras_bytes
    return Cell(formats.size(size))


def _non_zeros(row: ResultRow) -> Cell:
    value, parameters = row.value("non_zeros"), row.value("parameters")
    sparse = value is not None and parameters and value < 0.995 * parameters
    of = (
        f"{formats.share(value / parameters)} of {formats.count(parameters)}"
        if sparse and value and parameters
        else ""
    )
    return Cell(formats.count(value), of)


def _latency(row: ResultRow) -> Cell:
    number: Number | None = row.numbers.get("latency_ms")
    return Cell(formats.milliseconds(row.value("latency_ms")), formats.interval(number, digits=None))


def _training(row: ResultRow) -> Cell:
    return Cell(formats.seconds(row.value("training_seconds")) if row.kind == "keras" else formats.NOTHING)


def _times(key: str) -> Callable[[ResultRow], Cell]:
    def cell(row: ResultRow) -> Cell:
        return Cell(formats.times(row.value(key)))

    return cell


COLUMNS = (
    Column(
        "Accuracy",
        "%",
        "Test images classified rightly, with the 95 % Wilson interval: run on other images of "
        "this kind, it would lie in there 95 times of 100.",
        lambda row: Cell(_accuracy(row).text.removesuffix(" %"), _accuracy(row).detail),
    ),
    Column(
        "Against baseline",
        "points",
        "Difference to the baseline on the same images in percentage points; p is "
        "McNemar's test: how often chance alone would differ that much.",
        _difference,
    ),
    Column(
        "Keras size",
        "",
        "Bytes of the .keras file that it is, or was made from, without optimizer state.",
        _keras,
    ),
    Column("Deployed size", "", "Bytes of the .tflite file that goes onto the device.", _deployed),
    Column(
        "Gzip",
        "",
        "Bytes of the file compressed with gzip: what a download or an update costs.",
        lambda row: Cell(formats.size(row.value("gzip_bytes"))),
    ),
    Column("Non-zeros", "", "Parameters of the Keras model that are not zero, out of all.", _non_zeros),
    Column(
        "MACs",
        "",
        "Multiply-accumulates for one image, zeros included: the arithmetic that a dense kernel does.",
        lambda row: Cell(formats.count(row.value("macs"))),
    ),
    Column(
        "Latency",
        "ms/image",
        "Milliseconds for one image, batch 1: the median, with its 95 % bootstrap interval.",
        _latency,
    ),
    Column(
        "Size reduction",
        "",
        "The baseline's bytes divided by this file's; 1× is the same.",
        _times("size_reduction"),
    ),
    Column(
        "Speed-up",
        "",
        "Median of paired ratios of the baseline's time to this one's; 1× is the same.",
        _times("speed_up"),
    ),
    Column(
        "Training",
        "",
        "Time that this step's own training took, without that of the model it started from.",
        _training,
    ),
)
