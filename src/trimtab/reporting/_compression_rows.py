"""The result table of a compression: what each row is, and what it bought."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from trimtab.reporting._budget_words import LIMIT_WORDS
from trimtab.reporting._comparing import paired_p
from trimtab.reporting._compression import Compression
from trimtab.reporting._compression_records import BASELINE_FILE, BASELINE_FLOAT
from trimtab.reporting._data import Number, ResultRow
from trimtab.reporting._wording import accuracy_change, joined, listed, size_and_speed

__all__ = ["compression_rows"]


def compression_rows(
    rows: tuple[ResultRow, ...],
    found: Compression,
    baseline: str | None,
    predictions: Mapping[str, np.ndarray],
) -> tuple[ResultRow, ...]:
    """Returns the rows with what each is, its scheme, and its verdict against the baseline.

    Args:
        rows: what was measured on the test images.
        found: the search.
        baseline: name of the row that the others are compared with.
        predictions: ``labels`` and ``<row>.classes``; may be empty.
    """
    first = next((row for row in rows if row.name == baseline), None)
    schemes = {name: proof.scheme for name, proof in found.proofs}
    judged = []
    for row in rows:
        scheme = schemes.get(row.name, "float32" if row.name == BASELINE_FLOAT else "int8")
        row = dataclasses.replace(row, scheme=scheme, did=_did(row, found))
        if first is not None and (p := paired_p(predictions, row.name, first.name)) is not None:
            row = dataclasses.replace(row, numbers={**row.numbers, "parent_p": Number(p)})
        judged.append(dataclasses.replace(row, verdict=_verdict(row, first, found)))
    return tuple(judged)


def _did(row: ResultRow, found: Compression) -> str:
    """Says what a row is."""
    given = "the model that was given" if found.baseline_given else found.baseline_what or "the baseline"
    if row.name == BASELINE_FLOAT:
        return given
    if row.name == BASELINE_FILE:
        return f"{given}, in 8-bit integers"
    file = found.file(row.name)
    return file.what if file is not None else ""


def _verdict(row: ResultRow, first: ResultRow | None, found: Compression) -> str:
    """Says what a row bought against the baseline, and whether it keeps the budget."""
    if first is not None and row.name == first.name:
        return "the baseline: everything else is measured against it"
    bought = size_and_speed(row, first) if first is not None else ""
    change = accuracy_change(row, first, row.value("parent_p")) if first is not None else ""
    return joined(_keeps(row, found), bought, change) or "measured"


def _keeps(row: ResultRow, found: Compression) -> str:
    """Says whether a file keeps the budget; nothing where its limits are not known."""
    file = found.file(row.name)
    if file is None or not found.limits:
        return ""
    if broken := found.broken(file):
        return f"breaks the limit on {listed([LIMIT_WORDS[name] for name in broken])}"
    return "chosen: keeps the budget" if file.name == found.chosen else "keeps the budget"
