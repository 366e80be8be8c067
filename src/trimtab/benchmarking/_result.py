"""What a benchmark hands back: rows, the predictions behind them, and a plain table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.benchmarking._measurement import Measurement, Predictions, Row
from trimtab.errors import ConfigError, nearest

__all__ = ["BenchmarkResult"]


def _no_labels() -> npt.NDArray[np.int64]:
    """Stands for the labels of a result that was read back from its record."""
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class BenchmarkResult:
    """Models and files side by side, measured on the same images.

    Args:
        rows: one a subject, in the order given.
        baseline: name of the row that the others are compared with.
        predictions: by row name; not part of the record.
        labels: (n,) int64, the true classes of the images; not part of the record.
        settings: how it was measured: split, images, threads, rounds, seconds, confidence, seed.
        machine: what it was measured on; see `trimtab.benchmarking.machine`.
        versions: of what it was measured with; see `trimtab.benchmarking.versions`.
    """

    rows: tuple[Row, ...]
    baseline: str
    predictions: Mapping[str, Predictions] = field(default_factory=dict, metadata={"record": False})
    labels: npt.NDArray[np.int64] = field(default_factory=_no_labels, metadata={"record": False})
    settings: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Row:
        """Gives the row of that name, or says which names there are."""
        for row in self.rows:
            if row.name == name:
                return row
        names = [row.name for row in self.rows]
        raise ConfigError(f"No row is called {name!r}; there are {names}.{nearest(name, names)}")

    def __str__(self) -> str:
        return self.table()

    def table(self) -> str:
        """Returns the numbers as a table of plain text, a row a subject, with units in the headings."""
        columns = [column for column in _COLUMNS if any(column[1] in row.measurements for row in self.rows)]
        lines = [["", *(heading for heading, _, _ in columns)]]
        for row in self.rows:
            cells = [_cell(row.measurements.get(key), show) for _, key, show in columns]
            lines.append([row.name, *cells])
        widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
        return "\n".join(
            _aligned(line, widths) for line in [*lines[:1], ["-" * w for w in widths], *lines[1:]]
        )

    @classmethod
    def from_plain(
        cls,
        record: Mapping[str, Any],
        predictions: Mapping[str, Predictions] | None = None,
        labels: npt.NDArray[np.int64] | None = None,
    ) -> BenchmarkResult:
        """Makes a result again from what `to_plain` wrote of it; keys it does not know are left out.

        Raises:
            ConfigError: the record lacks a part.
        """
        try:
            rows = tuple(
                Row(
                    name=row["name"],
                    kind=row["kind"],
                    measurements={key: Measurement(**value) for key, value in row["measurements"].items()},
                    notes=tuple(row["notes"]),
                    samples={key: tuple(values) for key, values in row["samples"].items()},
                )
                for row in record["rows"]
            )
            parts = {key: dict(record[key]) for key in ("settings", "machine", "versions")}
            return cls(
                rows=rows,
                baseline=record["baseline"],
                predictions=dict(predictions or {}),
                labels=_no_labels() if labels is None else labels,
                **parts,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"This is no record of a benchmark result ({type(error).__name__}: {error}). "
                "Measure again to get a whole one."
            ) from error


def _cell(measurement: Measurement | None, show: Callable[[Measurement], str]) -> str:
    """Writes one number of the table; a dash where there is none."""
    return "-" if measurement is None or measurement.value is None else show(measurement)


def _aligned(cells: list[str], widths: list[int]) -> str:
    """Sets the name to the left and the numbers to the right."""
    first, *rest = (
        cell.rjust(width) if index else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def _with_limits(measurement: Measurement, number: str, scale: float = 1.0) -> str:
    """Writes a number, and its limits where it has some, in the given format."""
    text = format(scale * (measurement.value or 0), number)
    if measurement.low is None or measurement.high is None:
        return text
    return f"{text} [{scale * measurement.low:{number}}, {scale * measurement.high:{number}}]"


def _percent(measurement: Measurement) -> str:
    """Writes a fraction as percent."""
    return _with_limits(measurement, ".2f", 100)


def _points(measurement: Measurement) -> str:
    """Writes a difference of fractions as signed percentage points."""
    return _with_limits(measurement, "+.2f", 100)


def _digits(measurement: Measurement) -> str:
    """Writes a number with four digits."""
    return _with_limits(measurement, ".4g")


def _times(measurement: Measurement) -> str:
    """Writes a ratio with two decimals."""
    return _with_limits(measurement, ".2f")


def _whole(measurement: Measurement) -> str:
    """Writes a count with separators."""
    return f"{measurement.value:,.0f}"


_COLUMNS: tuple[tuple[str, str, Callable[[Measurement], str]], ...] = (
    ("accuracy %", "accuracy", _percent),
    ("difference, points", "accuracy_difference", _points),
    ("p", "accuracy_p", _digits),
    ("loss, nats", "loss", _digits),
    ("bytes", "bytes", _whole),
    ("gzip bytes", "gzip_bytes", _whole),
    ("times smaller", "size_reduction", _times),
    ("parameters", "parameters", _whole),
    ("non-zero", "non_zeros", _whole),
    ("MACs", "macs", _whole),
    ("ms/image", "latency_ms", _digits),
    ("p90 ms", "latency_p90_ms", _digits),
    ("times faster", "speed_up", _times),
    ("ms/image in batches", "batch_latency_ms", _digits),
    ("peak bytes", "peak_memory_bytes", _whole),
)
