"""Reading the folder of a compression back: what any run has, and what the search adds."""

from __future__ import annotations

import dataclasses

from trimtab.reporting._behaviour import read_behaviour, read_changed
from trimtab.reporting._compression import Compression
from trimtab.reporting._compression_records import read_compression
from trimtab.reporting._compression_rows import compression_rows
from trimtab.reporting._compression_words import (
    compression_headline,
    compression_missing,
    compression_title,
    reasons_told,
)
from trimtab.reporting._data import ReportData, ResultRow
from trimtab.reporting._fields import Fields
from trimtab.reporting._predictions import read_arrays, read_confusion, read_mistakes

__all__ = ["COMPRESSION", "collect_compression"]

COMPRESSION = "compress"
"""What ``run.json`` calls such a run."""


def collect_compression(data: ReportData, run: Fields, rows: tuple[ResultRow, ...]) -> ReportData:
    """Adds what a compression found to what is known of every run.

    Args:
        data: what is known of every run.
        run: ``run.json``.
        rows: what was measured on the test images.
    """
    found = read_compression(data.folder, run)
    path = data.folder / "benchmark" / "predictions.npz"
    predictions = read_arrays(path) if path.is_file() else {}
    featured = _featured(found, rows)
    data = dataclasses.replace(
        data,
        compression=found,
        rows=compression_rows(rows, found, data.baseline, predictions),
        featured=featured,
        confusion=read_confusion(path, predictions, featured, data.class_names),
        mistakes=read_mistakes(data.folder, featured, data.class_names),
        behaviour=read_behaviour(path.with_name("behaviour.json"), data.class_names),
        changed=read_changed(path.with_name("changed.npz"), data.class_names),
        description=" ".join(reasons_told(found)),
        title=compression_title(data, found),
        # One that was stopped is complete too: it answered with the best that it had found.
        complete=found.answered and bool(rows) and run.text("status") in ("complete", "interrupted"),
    )
    data = dataclasses.replace(data, missing=compression_missing(data, found))
    return dataclasses.replace(data, headline=compression_headline(data, found))


def _featured(found: Compression, rows: tuple[ResultRow, ...]) -> str | None:
    """Returns the row to look at closely: the chosen one, or the nearest miss, or the smallest file."""
    measured = [row.name for row in rows]
    wanted = [found.chosen, *(miss.split(":")[0] for miss in found.misses), *measured[2:], *measured]
    return next((name for name in wanted if name in measured), None)
