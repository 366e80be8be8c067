"""What `trimtab tune` shows of its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._records import to_plain
from trimtab.cli._console import print_json, table, terminal

if TYPE_CHECKING:
    from trimtab.tuning import TrialResult, TuningResult

__all__ = ["show_tuning"]

_SHOWN = 10
"""Rows of the table; the report has every trial."""


def show_tuning(result: TuningResult, page: Path, *, as_json: bool) -> None:
    """Shows the best trials beside the baseline, what mattered, and where everything is."""
    if as_json:
        print_json({**to_plain(result), "report": page})
        return
    order = sorted(
        result.trials,
        key=lambda trial: (trial.state != "complete", -(trial.val_accuracy or 0.0), trial.number),
    )
    shown = order[:_SHOWN]
    if result.baseline not in shown:
        shown = [*shown[:-1], result.baseline]
    console = terminal()
    rows = [_row(trial, result) for trial in shown]
    headers = ["what differs from the defaults", "trial", "val. accuracy (95 %)", "epochs", "parameters"]
    console.print(table(headers, rows))
    if len(order) > len(shown):
        console.print(f"The best {len(shown)} of {len(order)} trials; the report has all.")
    if result.importances:
        most = list(result.importances.items())[:3]
        console.print("What mattered most: " + ", ".join(f"{name} {share:.0%}" for name, share in most))
    for note in result.notes:
        console.print(f"{note[0].upper()}{note[1:]}.", soft_wrap=True)
    if result.folder is not None:
        console.print(f"Model (trial {result.best}): {result.folder / 'best.keras'}", soft_wrap=True)
    console.print(f"Report: {page}", soft_wrap=True)


def _row(trial: TrialResult, result: TuningResult) -> list[str]:
    usual = result.baseline.values
    changed = [
        f"{name.rpartition('.')[2]} {_told(value)}"
        for name, value in trial.values.items()
        if usual.get(name) != value
    ]
    star = " *" if trial.number == result.best else ""
    accuracy = "-"
    if trial.val_accuracy is not None:
        accuracy = f"{trial.val_accuracy:.2%} ({trial.low or 0:.1%} to {trial.high or 1:.1%})"
    words = ", ".join(changed) if trial.number else "nothing: the baseline"
    return [
        words + ("" if trial.state == "complete" else f" [{trial.state}]"),
        f"{trial.number}{star}",
        accuracy,
        str(trial.epochs),
        "-" if trial.parameters is None else f"{trial.parameters:,}",
    ]


def _told(value: Any) -> str:
    """Says a value in a few characters."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(to_plain(value)) if not isinstance(value, bool) else ("on" if value else "off")
