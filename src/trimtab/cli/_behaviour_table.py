"""What `trimtab benchmark --behaviour` shows below the measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.cli._console import table, terminal

if TYPE_CHECKING:
    from trimtab.benchmarking import BehaviourResult

__all__ = ["show_behaviour"]


def show_behaviour(result: BehaviourResult) -> None:
    """Shows what changed beside accuracy: the main numbers, and a sentence for each file."""
    from trimtab.benchmarking import behaviour_table

    console = terminal()
    headers, rows = behaviour_table(result)
    console.print(table(headers, rows, words=2))
    for row in result.rows:
        if row.name != result.baseline:
            console.print(f"{row.name}: {row.verdict}.", soft_wrap=True)
    told = result.settings
    console.print(
        f"* more than chance: McNemar's test on {told['images']:,} {told['split']} images, corrected for the "
        "number of classes (Holm).",
        soft_wrap=True,
    )
