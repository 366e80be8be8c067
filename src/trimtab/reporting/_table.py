"""The result table: which columns it has, and what stands in them."""

from __future__ import annotations

import dataclasses

from trimtab.reporting import _formats as formats
from trimtab.reporting._columns import COLUMNS, Cell, Column
from trimtab.reporting._data import ReportData, ResultRow

__all__ = ["cells", "result_rows", "shown_columns"]


def result_rows(data: ReportData) -> tuple[list[str], list[list[str]]]:
    """Returns the result table as plain text, for a terminal: headers, and one list of cells a row.

    Columns that no row has a number for are left out.
    """
    columns = shown_columns(data)
    headers = ["model", *(_header(column) for column in columns)]
    rows = [[row.name, *(_joined(cell) for cell in cells(data, row, columns))] for row in data.rows]
    return headers, rows


def shown_columns(data: ReportData, columns: tuple[Column, ...] = COLUMNS) -> tuple[Column, ...]:
    """Returns the columns that at least one row has a number for."""
    return tuple(
        column
        for column in columns
        if any(_cell(data, row, column).text != formats.NOTHING for row in data.rows)
    )


def cells(data: ReportData, row: ResultRow, columns: tuple[Column, ...]) -> list[Cell]:
    """Returns the cells of one row."""
    return [_cell(data, row, column) for column in columns]


def _cell(data: ReportData, row: ResultRow, column: Column) -> Cell:
    """Returns one cell, with how its number was measured."""
    baseline = data.row(data.baseline)
    if column.one_runtime and row.kind == "keras" and baseline is not None and baseline.kind == "litert":
        return Cell(formats.NOTHING)
    number = row.numbers.get(column.key)
    return dataclasses.replace(column.cell(row), method="" if number is None else number.method)


def _header(column: Column) -> str:
    return f"{column.header} ({column.unit})" if column.unit else column.header


def _joined(cell: Cell) -> str:
    return f"{cell.text} ({cell.detail})" if cell.detail else cell.text
