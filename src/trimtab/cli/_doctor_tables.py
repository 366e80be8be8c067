"""What `trimtab doctor` shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab._records import to_plain
from trimtab.cli._console import print_json, table, terminal

if TYPE_CHECKING:
    from trimtab.doctor import Diagnosis, Rewritten

__all__ = ["show_diagnosis"]


def show_diagnosis(
    diagnosis: Diagnosis,
    path: Path,
    rewritten: Rewritten | None = None,
    fixed: Path | None = None,
    *,
    as_json: bool,
) -> None:
    """Shows what can be done with a model, its files, what was found, and what became of a rewriting."""
    from trimtab.doctor._diagnosis import FORECAST_HEADS, NO_FINDINGS, OUTLOOK_HEADS

    written = fixed if rewritten is not None and rewritten.model is not None else None
    if as_json:
        fix = None if rewritten is None else {**to_plain(rewritten), "file": written}
        print_json({"file": path, **diagnosis.to_data(), "fix": fix})
        return
    console = terminal()
    console.print(diagnosis.headline, soft_wrap=True)
    console.print(table(OUTLOOK_HEADS, diagnosis.outlook_rows, words=len(OUTLOOK_HEADS)))
    rows = diagnosis.forecast_rows
    shown = len(FORECAST_HEADS) if any(row[-1] for row in rows) else len(FORECAST_HEADS) - 1
    files = table(FORECAST_HEADS[:shown], [row[:shown] for row in rows])
    if shown == len(FORECAST_HEADS):
        files.columns[-1].justify = "left"
    console.print(files)
    for line in diagnosis.finding_lines or [NO_FINDINGS]:
        console.print(line)
    for note in diagnosis.notes:
        console.print(note)
    if rewritten is not None:
        for sentence in rewritten.done if written is not None else ():
            console.print(f"Fixed: {sentence}")
        if rewritten.reason is not None:
            console.print(f"Nothing was written: {rewritten.reason}")
        elif written is not None:
            console.print(f"Largest difference of the outputs: {rewritten.difference:.1g} of the largest.")
            console.print(f"Model: {written}", soft_wrap=True)
