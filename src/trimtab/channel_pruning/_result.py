"""What channel pruning gave: the smaller model, and what was asked for beside what was reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from trimtab.training import History

__all__ = ["ChannelPruningResult", "ChannelPruningRound", "GroupChange"]

_SHOWN = 12  # groups in the text of a result


class GroupChange(NamedTuple):
    """How many channels a group had and has.

    A channel here is a unit: what is kept or removed as one (an attention head is one too).
    """

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class ChannelPruningRound:
    """One round: choose, remove, fine-tune.

    Args:
        number: the round, from 1.
        ratio: share of the prunable channels that is gone after it, 0 to 1.
        parameters: parameters of the model after it.
        macs: its multiply-accumulates for one image; None where they cannot be told.
        first_epoch: its first epoch in the history; None where nothing was trained.
        last_epoch: its last epoch there.
        best_epoch: the epoch whose weights it ended with.
        val_accuracy: accuracy on the validation images after that epoch, 0 to 1.
    """

    number: int
    ratio: float
    parameters: int
    macs: int | None
    first_epoch: int | None = None
    last_epoch: int | None = None
    best_epoch: int | None = None
    val_accuracy: float | None = None


@dataclass(frozen=True)
class ChannelPruningResult:
    """What channel pruning gave.

    Args:
        model: the smaller model, an ordinary Keras model of its own.
        groups: each group of channels that was looked at, with its channels before and after.
        parameters: parameters of the model before and after.
        macs: multiply-accumulates for one image before and after; None where they cannot be told.
        ratio: share of the channels of those groups that was removed, 0 to 1.
        skipped: each group that was left alone, by name, with the reason.
        history: all training that went along with it, one epoch after the other; None: there was none.
        notes: plain sentences about what was done.
        rounds: the rounds: one, or those of schedule "iterative".
        asked: what was asked for, such as ``"macs=50%"``.
        reached: what was reached of it, in the same unit: a share of channels, parameters, MACs, bytes of the
            int8 file, or milliseconds (measured on the architecture, before fine-tuning).
        missed: one sentence for each thing that was asked for and not reached.
        importance: how the importance of channels was judged, such as "l2".
        ranking: whom a channel was compared with: those of its "group", or all ("global").
        tied: the layers that each group ties together, by the group's name.
        keep: the channels of each group that stayed, as indices in the model given; see
            `trimtab.channels.remove`.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    groups: tuple[GroupChange, ...]
    parameters: tuple[int, int]
    macs: tuple[int | None, int | None]
    ratio: float
    skipped: tuple[tuple[str, str], ...]
    history: History | None
    notes: tuple[str, ...] = ()
    rounds: tuple[ChannelPruningRound, ...] = ()
    asked: str = ""
    reached: float | None = None
    missed: tuple[str, ...] = ()
    importance: str = "l2"
    ranking: str = "global"
    tied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keep: Mapping[str, tuple[int, ...]] = field(default_factory=dict, metadata={"record": False}, repr=False)

    def __str__(self) -> str:
        """Tells in a few lines what was removed, and what was left alone and why."""
        lines = [
            f"{self.asked}: {self.ratio:.1%} of the channels removed, "
            f"{_step('parameters', *self.parameters)}, {_step('MACs', *self.macs)}"
        ]
        changed = [group for group in self.groups if group.after < group.before]
        width = max((len(group.name) for group in changed[:_SHOWN]), default=0)
        lines += [f"  {g.name:<{width}}  {g.before:>5} -> {g.after}" for g in changed[:_SHOWN]]
        whole = len(self.groups) - len(changed)
        if len(changed) > _SHOWN:
            lines.append(f"  and {len(changed) - _SHOWN} more groups")
        if whole:
            lines.append(f"  {whole} group{'s stay' if whole > 1 else ' stays'} whole")
        lines += [f"left alone: {line}" for line in reasons_told(self.skipped)]
        if self.history is not None and self.history.epochs:
            best = self.history.best
            lines.append(f"validation accuracy {best.val_accuracy:.4f} after epoch {best.epoch}")
        return "\n".join([*lines, *(f"missed: {sentence}" for sentence in self.missed)])


def reasons_told(skipped: tuple[tuple[str, str], ...], most: int = 3) -> list[str]:
    """Says why groups are left alone, one line for each reason."""
    names: dict[str, list[str]] = {}
    for name, reason in skipped:
        names.setdefault(reason, []).append(name)
    lines = []
    for reason, groups in names.items():
        more = f" and {len(groups) - most} more" if len(groups) > most else ""
        lines.append(f"{', '.join(groups[:most])}{more}: {reason}")
    return lines


def _step(what: str, before: int | None, after: int | None) -> str:
    """Says from where to where a number went."""
    if before is None or after is None:
        return f"{what} not known"
    return f"{before:,} -> {after:,} {what} ({after / max(before, 1):.0%})"
