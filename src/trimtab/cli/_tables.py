"""What each command shows of its result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from trimtab._records import to_plain
from trimtab.cli._console import print_json, table, terminal

if TYPE_CHECKING:
    from trimtab.benchmarking import BenchmarkResult
    from trimtab.data import ImageData
    from trimtab.exporting import Artifact
    from trimtab.pipeline import RunResult
    from trimtab.training import History, TrainingResult

__all__ = [
    "epoch_table",
    "show_artifact",
    "show_benchmark",
    "show_data",
    "show_recipes",
    "show_report",
    "show_run",
    "show_training",
]

_SHORT = ("Accuracy", "Deployed size", "Gzip", "Latency", "Size reduction", "Speed-up")
"""Columns of the result table that fit a terminal; the report has them all."""


def show_recipes(recipes: Mapping[str, str], *, as_json: bool) -> None:
    """Lists the built-in recipes."""
    if as_json:
        print_json(recipes)
        return
    listed = Table(
        "recipe", "what it does", title="Built-in recipes: trimtab run RECIPE", title_justify="left"
    )
    for name, title in recipes.items():
        listed.add_row(name, title)
    terminal().print(listed)


def show_run(result: RunResult, *, as_json: bool) -> None:
    """Shows the result table of a run, and where its report is."""
    if as_json:
        print_json(result)
        return
    from trimtab.reporting import collect, result_rows

    console = terminal()
    headers, rows = result_rows(collect(result.folder))
    shown = [place for place, header in enumerate(headers) if place == 0 or header.startswith(_SHORT)]
    console.print(
        table([headers[place] for place in shown], [[row[place] for place in shown] for row in rows])
    )
    console.print(f"Report: {result.report}", soft_wrap=True)


def show_training(result: TrainingResult, path: Path, *, as_json: bool) -> None:
    """Shows the epochs of a training, and where the model went."""
    if as_json:
        print_json({"model": path, **to_plain(result)})
        return
    console = terminal()
    console.print(epoch_table(result.history))
    for note in result.notes:
        console.print(note)
    console.print(f"Model (epoch {result.history.best_epoch}): {path}", soft_wrap=True)


def epoch_table(history: History) -> Table:
    """Returns the epochs of a training; the best one has a star."""
    rows = [
        [
            f"{epoch.epoch}{' *' if epoch.epoch == history.best_epoch else ''}",
            f"{epoch.loss:.4f}",
            f"{epoch.accuracy:.2%}",
            f"{epoch.val_loss:.4f}",
            f"{epoch.val_accuracy:.2%}",
            f"{epoch.seconds:.1f}",
        ]
        for epoch in history.epochs
    ]
    return table(["epoch", "loss", "accuracy", "val. loss", "val. accuracy", "seconds"], rows)


def show_artifact(artifact: Artifact, *, as_json: bool) -> None:
    """Shows what a converted file is, and the check that it passed."""
    if as_json:
        print_json(artifact)
        return
    parity = artifact.parity
    rows = [
        ["scheme", artifact.scheme],
        ["size", f"{artifact.bytes / 1000:,.1f} kB, {artifact.gzip_bytes / 1000:,.1f} kB gzipped"],
        ["same answer as the model", f"{parity.top1_agreement:.2%} of {parity.images} images"],
        ["largest difference", f"{parity.max_error:.3g}"],
    ]
    console = terminal()
    console.print(table(["check", "result"], rows))
    for note in artifact.notes:
        console.print(note, soft_wrap=True)
    parts = f" (with {', '.join(artifact.parts)} beside it)" if artifact.parts else ""
    console.print(f"File: {artifact.path}{parts}", soft_wrap=True)


def show_benchmark(result: BenchmarkResult, *, as_json: bool) -> None:
    """Shows the measurements side by side."""
    if as_json:
        print_json(result)
        return
    kinds = {row.name: row.kind for row in result.rows}
    rows = []
    for row in result.rows:
        values = {key: measurement.value for key, measurement in row.measurements.items()}
        accuracy = row.measurements["accuracy"]
        latency = values.get("latency_ms")
        # Times and sizes of Keras models and of files are those of two runtimes and formats.
        alike = kinds[row.name] == kinds[result.baseline]
        smaller, faster = values.get("size_reduction"), values.get("speed_up")
        rows.append(
            [
                row.name + (" (baseline)" if row.name == result.baseline else ""),
                f"{accuracy.value:.1%} ({accuracy.low or 0:.1%} to {accuracy.high or 1:.1%})",
                _kilobytes(values.get("bytes")),
                _kilobytes(values.get("gzip_bytes")),
                "-" if latency is None else f"{latency:.3g}",
                f"{smaller:.2f}x" if alike and smaller is not None else "-",
                f"{faster:.2f}x" if alike and faster is not None else "-",
            ]
        )
    console = terminal()
    console.print(table(["model", "accuracy (95 %)", "kB", "gzip kB", "ms/image", "smaller", "faster"], rows))
    console.print("Everything that was measured, and how: --json.")


def _kilobytes(count: float | None) -> str:
    return "-" if count is None else f"{count / 1000:,.1f}"


def show_report(path: Path, *, as_json: bool) -> None:
    """Says where the report is."""
    if as_json:
        print_json({"report": path})
    else:
        terminal().print(f"Report: {path}", soft_wrap=True)


def show_data(data: ImageData, sheet: Path, *, as_json: bool) -> None:
    """Shows what a data set holds."""
    if as_json:
        print_json({**data.describe(), "sheet": sheet})
        return
    counts = data.counts()
    rows = [
        [name, *(f"{counts[part][label]:,}" for part in counts)]
        for label, name in enumerate(data.class_names)
    ]
    rows.append(["all", *(f"{sum(part):,}" for part in counts.values())])
    height, width, channels = data.image_shape
    console = terminal()
    console.print(f"{data.name}: {height}x{width} pixels, {channels} channel{'s' if channels > 1 else ''}")
    console.print(table(["class", *counts], rows))
    console.print(f"From: {data.origin}\nDigest: {data.digest}\nSamples: {sheet}", soft_wrap=True)
