"""What the commands about channels and teachers show."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab._records import to_plain
from trimtab.cli._console import print_json, table, terminal
from trimtab.cli._tables import epoch_table

if TYPE_CHECKING:
    from rich.table import Table

    from trimtab.channel_pruning import ChannelPruningResult, Explanation, GroupExplanation
    from trimtab.distillation import DistillationResult

__all__ = ["show_channel_pruning", "show_channels", "show_distillation"]


def show_channel_pruning(result: ChannelPruningResult, path: Path, *, as_json: bool) -> None:
    """Shows the channels that each group has left, what that saves, and where the model went."""
    if as_json:
        print_json({"model": path, **to_plain(result)})
        return
    rows = [[group.name, f"{group.before:,}", f"{group.after:,}"] for group in result.groups]
    before = sum(group.before for group in result.groups)
    after = sum(group.after for group in result.groups)
    rows.append(["all", f"{before:,}", f"{after:,}"])
    sizes = [["parameters", *map(_count, result.parameters)], ["MACs", *map(_count, result.macs)]]
    console = terminal()
    console.print(table(["group", "channels before", "after"], rows))
    console.print(table(["size", "before", "after"], sizes))
    reached = "" if result.reached is None else f", reached: {result.reached:.6g}"
    console.print(f"Asked: {result.asked}{reached}")
    for name, reason in result.skipped:
        console.print(f"{name} was left alone: {reason}")
    for sentence in result.missed:
        console.print(f"Missed: {sentence}")
    if result.history is not None:
        best = result.history.best
        console.print(f"Validation accuracy: {best.val_accuracy:.1%} (epoch {best.epoch})")
    for note in result.notes:
        console.print(note)
    console.print(f"Model: {path}", soft_wrap=True)


def show_distillation(
    result: DistillationResult, teachers: Sequence[Path], path: Path, *, as_json: bool
) -> None:
    """Shows the epochs of the student, how good its teachers are, and where the model went."""
    if as_json:
        told = zip(teachers, to_plain(result.teachers), strict=True)
        found = [{**teacher, "file": file} for file, teacher in told]
        print_json({"model": path, **to_plain(result), "teachers": found})
        return
    console = terminal()
    console.print(epoch_table(result.history))
    for file, teacher in zip(teachers, result.teachers, strict=True):
        console.print(
            f"Teacher {file}: {teacher.accuracy:.1%} ({teacher.low:.1%} to {teacher.high:.1%}) of the "
            f"{teacher.images:,} validation images",
            soft_wrap=True,
        )
    for note in result.notes:
        console.print(note)
    console.print(f"Model (epoch {result.history.best_epoch}): {path}", soft_wrap=True)


def show_channels(
    explanation: Explanation, path: Path, picture: Path | None = None, *, as_json: bool
) -> None:
    """Shows the groups that may lose channels, what fewer would save, and why the others may lose none."""
    if as_json:
        print_json({"file": path, **explanation.to_data(), "picture": picture})
        return
    free = [group for group in explanation.groups if group.locked is None]
    locked = [group for group in explanation.groups if group.locked is not None]
    console = terminal()
    console.print(
        f"{explanation.model}: {explanation.parameters:,} parameters, {_count(explanation.macs)} MACs; "
        f"{explanation.prunable:,} channels may be pruned, in {len(free)} groups"
    )
    console.print(_savings(free, explanation.round_to))
    if locked:
        rows = [[group.name, f"{group.channels:,}", str(group.locked)] for group in locked]
        shown = table(["locked", "channels", "why"], rows)
        shown.columns[-1].justify = "left"
        console.print(shown)
    for note in explanation.notes:
        console.print(note)
    if picture is not None:
        console.print(f"Picture: {picture}", soft_wrap=True)


def _savings(groups: Sequence[GroupExplanation], round_to: int) -> Table:
    """Returns what fewer channels in each group would save; columns that say nothing are left out."""
    headers = ["group", "ties together", "channels", f"parameters, {round_to} fewer", "halved"]
    headers += [f"MACs, {round_to} fewer", "halved", "int8 bytes, halved", "time, halved"]
    rows = [_savings_of(group) for group in groups]
    shown = [place < 7 or any(row[place] != "-" for row in rows) for place in range(len(headers))]
    return table(list(compress(headers, shown)), [list(compress(row, shown)) for row in rows], words=2)


def _savings_of(group: GroupExplanation) -> list[str]:
    """Returns the cells of one group."""
    step, half = group.step, group.half
    units = "" if group.units == group.channels else f" ({group.units} units)"
    tied = ", ".join(layer for layer in group.layers if layer != group.name)
    latency = half.latency.value - 1 if half is not None and half.latency is not None else None
    return [
        group.name,
        tied + ("" if group.exact else " (its normalisation counts the channels)"),
        f"{group.channels:,}{units}",
        *(_less(saving.parameters if saving else None) for saving in (step, half)),
        *(_less(saving.macs if saving else None) for saving in (step, half)),
        _less(half.size if half else None),
        "-" if latency is None else f"{latency:+.1%}",
    ]


def _less(saved: int | None) -> str:
    return "-" if saved is None else f"{-saved:,}"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
