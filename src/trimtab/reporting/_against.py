"""One model or file beside another, on the same test images: a line of a table that compares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trimtab.reporting import _formats as formats
from trimtab.reporting._comparing import paired_p
from trimtab.reporting._data import ReportData, ResultRow
from trimtab.reporting._predictions import read_arrays

__all__ = ["difference", "predictions_of"]


def predictions_of(data: ReportData) -> dict[str, np.ndarray]:
    """Returns what was predicted, as the run keeps it; empty where it keeps none."""
    path = data.folder / "benchmark" / "predictions.npz"
    return read_arrays(path) if path.is_file() else {}


def difference(
    row: ResultRow, other: ResultRow | None, predictions: Mapping[str, np.ndarray]
) -> tuple[str, str]:
    """Returns how far a row's accuracy is from another's in points, and the paired test of the two."""
    if other is None or other.name == row.name:
        return formats.NOTHING, ""
    mine, theirs = row.value("accuracy"), other.value("accuracy")
    if mine is None or theirs is None:
        return formats.NOTHING, ""
    p = paired_p(predictions, row.name, other.name)
    return formats.points(mine - theirs), formats.p_value(p) if p is not None else ""
