"""What the commands about pruning show: the zeros of each layer, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab._records import to_plain
from trimtab.cli._console import print_json, table, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from trimtab.pruning import LayerSparsity, PruningResult, Sensitivity, SparsitySummary

__all__ = ["show_pruning", "show_sensitivity", "show_sparsity"]

_HEADERS = ("layer", "weight", "shape", "size", "zeros", "sparsity", "in pattern", "asked", "met")


def show_pruning(result: PruningResult, path: Path, *, as_json: bool) -> None:
    """Shows the sparsity that each layer reached, and where the model went."""
    if as_json:
        print_json({"model": path, **to_plain(result)})
        return
    console = terminal()
    console.print(_zeros(result.layers, result.sparsity, result.asked, met=not result.missed))
    best = result.history.epochs[result.history.best_epoch - 1]
    console.print(f"Validation accuracy: {best.val_accuracy:.1%} (epoch {best.epoch})")
    for note in result.notes:
        console.print(note)
    console.print(f"Model: {path}", soft_wrap=True)


def show_sparsity(summary: SparsitySummary, path: Path, *, as_json: bool) -> None:
    """Shows the zeros of each weight and of all, beside what was asked for, and says what was missed."""
    met = None if summary.asked is None else not summary.missed
    own = [_own(row, summary.ranking) for row in summary.layers]
    if as_json:
        layers = [{**to_plain(row), "sparsity": row.sparsity, "met": _met(row)} for row in own]
        found = {"sparsity": summary.sparsity, "met": met, "missed": summary.missed}
        print_json({"model": path, **to_plain(summary), **found, "layers": layers})
        return
    console = terminal()
    console.print(_zeros(own, summary.sparsity, summary.asked, met=met))
    for sentence in summary.missed:
        console.print(f"Missed: {sentence}")


def show_sensitivity(
    scan: Sensitivity, targets: Mapping[str, float] | None, picture: Path | None, *, as_json: bool
) -> None:
    """Shows the accuracy that is left when each layer alone is pruned, and how far each could go."""
    if as_json:
        print_json({**to_plain(scan), "targets": targets, "picture": picture})
        return
    levels = sorted({point.sparsity for layer in scan.layers for point in layer.points})
    rows = []
    for layer in scan.layers:
        left = {point.sparsity: point.accuracy for point in layer.points}
        row = [layer.name, f"{layer.size:,}", *(_share(left.get(level)) for level in levels)]
        rows.append(row if targets is None else [*row, _share(targets.get(layer.name))])
    headers = ["layer", "size", *(f"{level:.4g}" for level in levels)]
    console = terminal()
    console.print(
        f"Validation accuracy with one layer pruned ({scan.granularity}, {scan.importance}), without "
        f"training; {scan.accuracy:.1%} with none ({scan.low:.1%} to {scan.high:.1%}, {scan.images:,} images)"
    )
    console.print(table(headers if targets is None else [*headers, "target"], rows))
    for note in scan.notes:
        console.print(note)
    for name, reason in scan.skipped:
        console.print(f"{name} was left alone: {reason}")
    if picture is not None:
        console.print(f"Picture: {picture}", soft_wrap=True)


def _zeros(layers: Sequence[LayerSparsity], share: float, asked: float | None, *, met: bool | None) -> Table:
    """Returns the zeros of each weight and of all; columns that say nothing are left out."""
    size, zeros = (sum(getattr(layer, part) for layer in layers) for part in ("size", "zeros"))
    rows = [_line(layer) for layer in layers]
    rows.append(["all", "", "", f"{size:,}", f"{zeros:,}", _share(share), "", _share(asked), _yes(met)])
    shown = [True] * len(_HEADERS)
    shown[_HEADERS.index("in pattern")] = any(layer.pattern is not None for layer in layers)
    shown[-2:] = [met is not None] * 2
    return table(list(compress(_HEADERS, shown)), [list(compress(row, shown)) for row in rows], words=2)


def _own(row: LayerSparsity, ranking: str) -> LayerSparsity:
    """Returns a row without a goal where layers were ranked together: none had one of its own."""
    return row if ranking == "layer" else replace(row, asked=None, goal=None)


def _met(row: LayerSparsity) -> bool | None:
    """Tells whether a weight has the zeros that were asked of it; None where none were."""
    return None if row.asked is None else not row.missing


def _line(row: LayerSparsity) -> list[str]:
    """Returns the cells of one weight."""
    shape = "×".join(map(str, row.shape)) if row.shape is not None else "-"
    return [
        row.name,
        row.weight,
        shape,
        f"{row.size:,}",
        f"{row.zeros:,}",
        _share(row.sparsity),
        _share(row.pattern),
        _share(row.asked),
        _yes(_met(row)),
    ]


def _yes(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "no"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
