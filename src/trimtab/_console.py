"""What the command line shows: tables for people, JSON for machines."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from trimtab._records import to_plain
from trimtab.errors import ConfigError, nearest

if TYPE_CHECKING:
    from trimtab.benchmarking import BenchmarkResult
    from trimtab.data import ImageData
    from trimtab.exporting import Artifact
    from trimtab.pipeline import RunResult
    from trimtab.pruning import PruningResult
    from trimtab.training import TrainingResult

__all__ = [
    "interruptible",
    "settings",
    "show_artifact",
    "show_benchmark",
    "show_data",
    "show_pruning",
    "show_recipes",
    "show_report",
    "show_run",
    "show_training",
    "stopped",
    "subject_name",
    "subjects",
]

_SHORT = ("Accuracy", "Deployed size", "Gzip", "Latency", "Size reduction", "Speed-up")
"""Columns of the result table that fit a terminal; the report has them all."""

_PLAIN_WIDTH = 200
"""Columns where the output is not a terminal, so that a table in a log is not folded."""


def settings(texts: Iterable[str]) -> dict[str, Any]:
    """Reads ``key=value`` texts; values are YAML, lists become tuples."""
    read: dict[str, Any] = {}
    for text in texts:
        key, equals, value_text = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set needs key=value, such as filters=[32,64]; received {text!r}.")
        try:
            value = yaml.safe_load(value_text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ConfigError(f"--set {key}: the value {value_text!r} is not valid YAML.") from None
        read[key] = tuple(value) if isinstance(value, list) else value
    return read


def subjects(files: Sequence[Path]) -> dict[str, Path]:
    """Names files for a benchmark: by their names alone where those differ, by their paths otherwise."""
    names = [file.name for file in files]
    return {file.name if names.count(file.name) == 1 else str(file): file for file in files}


def subject_name(wanted: str, known: Mapping[str, Path]) -> str:
    """Returns the name of the subject that is meant by a name or a path."""
    for name, path in known.items():
        if wanted == name or Path(wanted) == path:
            return name
    raise ConfigError(
        f"--baseline {wanted!r} is none of the files given.{nearest(wanted, known)} "
        f"Files: {', '.join(known)}."
    )


@contextlib.contextmanager
def interruptible(say: Callable[[], str]) -> Iterator[None]:
    """Ends the command with exit code 130 on Ctrl-C, after saying how the work goes on."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(say(), err=True)
        raise typer.Exit(130) from None


def stopped(folder: Path) -> str:
    """Returns what to say after Ctrl-C: how the run goes on, if there is one yet."""
    from trimtab.pipeline import RunFolder

    if not RunFolder(folder).holds_run():
        return "Stopped before anything was done."
    words = shlex.join(["trimtab", "run", str(folder), "--resume"])
    return f"Stopped; what was done is kept. To go on: {words}"


def show_recipes(recipes: Mapping[str, str], *, as_json: bool) -> None:
    """Lists the built-in recipes."""
    if as_json:
        _print_json(recipes)
        return
    table = Table(
        "recipe", "what it does", title="Built-in recipes: trimtab run RECIPE", title_justify="left"
    )
    for name, title in recipes.items():
        table.add_row(name, title)
    _console().print(table)


def show_run(result: RunResult, *, as_json: bool) -> None:
    """Shows the result table of a run, and where its report is."""
    if as_json:
        _print_json(result)
        return
    from trimtab.reporting import collect, result_rows

    console = _console()
    headers, rows = result_rows(collect(result.folder))
    shown = [place for place, header in enumerate(headers) if place == 0 or header.startswith(_SHORT)]
    console.print(
        _table([headers[place] for place in shown], [[row[place] for place in shown] for row in rows])
    )
    console.print(f"Report: {result.report}", soft_wrap=True)


def show_training(result: TrainingResult, path: Path, *, as_json: bool) -> None:
    """Shows the epochs of a training, and where the model went."""
    if as_json:
        _print_json({"model": path, **to_plain(result)})
        return
    history = result.history
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
    console = _console()
    console.print(_table(["epoch", "loss", "accuracy", "val. loss", "val. accuracy", "seconds"], rows))
    for note in result.notes:
        console.print(note)
    console.print(f"Model (epoch {history.best_epoch}): {path}", soft_wrap=True)


def show_pruning(result: PruningResult, path: Path, *, as_json: bool) -> None:
    """Shows the sparsity that each layer reached, and where the model went."""
    if as_json:
        _print_json({"model": path, **to_plain(result)})
        return
    rows = [
        [
            layer.name,
            layer.weight,
            f"{layer.size:,}",
            f"{layer.zeros:,}",
            f"{layer.zeros / layer.size:.1%}",
            f"{layer.asked:.1%}",
        ]
        for layer in result.layers
    ]
    console = _console()
    console.print(_table(["layer", "weight", "size", "zeros", "sparsity", "asked"], rows))
    best = result.history.epochs[result.history.best_epoch - 1]
    console.print(f"Validation accuracy: {best.val_accuracy:.1%} (epoch {best.epoch})")
    for note in result.notes:
        console.print(note)
    console.print(f"Model: {path}", soft_wrap=True)


def show_artifact(artifact: Artifact, *, as_json: bool) -> None:
    """Shows what a converted file is, and the check that it passed."""
    if as_json:
        _print_json(artifact)
        return
    parity = artifact.parity
    rows = [
        ["scheme", artifact.scheme],
        ["size", f"{artifact.bytes / 1000:,.1f} kB, {artifact.gzip_bytes / 1000:,.1f} kB gzipped"],
        ["same answer as the model", f"{parity.top1_agreement:.2%} of {parity.images} images"],
        ["largest difference", f"{parity.max_error:.3g}"],
    ]
    console = _console()
    console.print(_table(["check", "result"], rows))
    console.print(f"File: {artifact.path}", soft_wrap=True)


def show_benchmark(result: BenchmarkResult, *, as_json: bool) -> None:
    """Shows the measurements side by side."""
    if as_json:
        _print_json(result)
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
    console = _console()
    console.print(
        _table(["model", "accuracy (95 %)", "kB", "gzip kB", "ms/image", "smaller", "faster"], rows)
    )
    console.print("Everything that was measured, and how: --json.")


def _kilobytes(count: float | None) -> str:
    return "-" if count is None else f"{count / 1000:,.1f}"


def show_report(path: Path, *, as_json: bool) -> None:
    """Says where the report is."""
    if as_json:
        _print_json({"report": path})
    else:
        _console().print(f"Report: {path}", soft_wrap=True)


def show_data(data: ImageData, sheet: Path, *, as_json: bool) -> None:
    """Shows what a data set holds."""
    if as_json:
        _print_json({**data.describe(), "sheet": sheet})
        return
    counts = data.counts()
    rows = [
        [name, *(f"{counts[part][label]:,}" for part in counts)]
        for label, name in enumerate(data.class_names)
    ]
    rows.append(["all", *(f"{sum(part):,}" for part in counts.values())])
    height, width, channels = data.image_shape
    console = _console()
    console.print(f"{data.name}: {height}x{width} pixels, {channels} channel{'s' if channels > 1 else ''}")
    console.print(_table(["class", *counts], rows))
    console.print(f"From: {data.origin}\nDigest: {data.digest}\nSamples: {sheet}", soft_wrap=True)


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Returns a table whose first column is words and whose others are numbers."""
    table = Table(*headers)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*row)
    return table


def _console() -> Console:
    # File and class names may hold square brackets: they are text here, not markup.
    return Console(
        width=None if sys.stdout.isatty() else _PLAIN_WIDTH, markup=False, highlight=False, emoji=False
    )


def _print_json(record: Any) -> None:
    sys.stdout.write(json.dumps(to_plain(record), indent=2, allow_nan=False) + "\n")
