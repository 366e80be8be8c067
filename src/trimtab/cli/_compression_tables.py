"""What `trimtab compress` prints: the files side by side, the chosen one, and the sentence why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.cli._console import print_json, table, terminal
from trimtab.compression._measuring import plain_answer

if TYPE_CHECKING:
    from trimtab.benchmarking import Row
    from trimtab.compression import CompressionResult

__all__ = ["show_compression"]


def show_compression(result: CompressionResult, page: Path, *, as_json: bool) -> None:
    """Shows the front, the choice and the reason."""
    if as_json:
        print_json(
            {
                "folder": result.folder,
                "report": page,
                **plain_answer(result.answer, result.folder),
                "file": result.file,
                "ending": result.ending,
                "seconds": result.seconds,
                "trials": {"looked_at": result.trials[0], "trained": result.trials[1]},
                "notes": list(result.notes),
                "benchmark": result.benchmark,
            }
        )
        return
    console = terminal()
    words = ["file", "what it is"]
    numbers = ["accuracy (95 %)", "kB", "gzip kB", "ms/image", "smaller", "faster"]
    console.print(table([*words, *numbers], [_row(result, row) for row in result.benchmark.rows], words=2))
    looked_at, trained = result.trials
    console.print(
        f"Of {looked_at} candidates {trained} were trained, in {result.seconds / 60:.1f} minutes. "
        "Accuracy is on the test images, which chose nothing.",
        soft_wrap=True,
    )
    for line in (result.answer.why, *(miss.sentence for miss in result.answer.misses), *result.notes):
        console.print(line, soft_wrap=True)
    if result.file is not None:
        console.print(f"File: {result.file} (and best.keras beside it)", soft_wrap=True)
    console.print(f"Report: {page}", soft_wrap=True)


def _row(result: CompressionResult, row: Row) -> list[str]:
    """Returns the cells of one file."""
    values = {name: measurement.value for name, measurement in row.measurements.items()}
    accuracy = row.measurements["accuracy"]
    point = result.answer.point(row.name)
    chosen = " (chosen)" if row.name == result.answer.chosen else ""

    def number(name: str, form: str, scale: float = 1.0) -> str:
        value = values.get(name)
        return "-" if value is None else form.format(value / scale)

    return [
        row.name + chosen,
        "the baseline" if point is None else point.what,
        f"{accuracy.value:.1%} ({accuracy.low or 0:.1%} to {accuracy.high or 1:.1%})",
        number("bytes", "{:,.1f}", 1000),
        number("gzip_bytes", "{:,.1f}", 1000),
        number("latency_ms", "{:.3g}"),
        number("size_reduction", "{:.2f}x"),
        number("speed_up", "{:.2f}x"),
    ]
