"""What the head of a compression's page says: title, result, reason, and what is missing."""

from __future__ import annotations

from trimtab.reporting._budget_words import asked_for
from trimtab.reporting._compression import Compression
from trimtab.reporting._data import ReportData
from trimtab.reporting._headline import headline

__all__ = ["compression_headline", "compression_missing", "compression_title", "reasons_told"]


def compression_title(data: ReportData, found: Compression) -> str:
    """Returns the title: which data, and which budget."""
    about = str(data.data.get("name") or data.name)
    asked = asked_for(found)
    return f"{about}: {asked}" if asked else about


def compression_headline(data: ReportData, found: Compression) -> str:
    """Says the result: the chosen file as it was measured, or that nothing keeps the budget."""
    if not found.answered:
        trained = sum(trial.trained for trial in found.tried)
        if not found.tried:
            return "There is no answer yet: the search has not begun."
        return (
            f"There is no answer yet: {len(found.tried)} candidate{'s' if len(found.tried) != 1 else ''} "
            f"looked at, {trained} of them trained."
        )
    if found.chosen is None:
        return found.why or "Nothing that was found keeps the budget."
    return headline(data) if data.row(found.chosen) is not None else found.why


def reasons_told(found: Compression) -> tuple[str, ...]:
    """Returns why this answer was given, and what else there is to know, a sentence each."""
    told = [f"{found.why.rstrip('.')}."] if found.why and found.chosen is not None else []
    if found.already:
        told.append(
            "The baseline's own int8 file keeps the budget already; the front shows what is better still."
        )
    if found.ending == "interrupted":
        told.append("The search was stopped early; this is the best that it had found by then.")
    return (*told, *found.notes)


def compression_missing(data: ReportData, found: Compression) -> tuple[str, ...]:
    """Returns what an unfinished run does not have yet, in words."""
    missing = []
    if found.baseline_accuracy is None:
        missing.append("the baseline")
    if not any(trial.trained for trial in found.tried) and not found.answered:
        missing.append("the search")
    if not any(not file.baseline for file in found.files) and not found.answered:
        missing.append("the finalists' files")
    if not found.answered:
        missing.append("the answer")
    if not data.rows:
        missing.append("the measurements on the test images")
    return tuple(missing)
