"""Which channels of a model could go: its groups, what each ties together, what fewer would save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab._records import to_plain
from trimtab.benchmarking import Interval, Measurement
from trimtab.channel_pruning._probe import PROBED, Probes
from trimtab.channels import find_groups
from trimtab.channels._rounding import allowed_counts, channels_made
from trimtab.errors import ConfigError
from trimtab.progress import Progress

if TYPE_CHECKING:
    import keras

    from trimtab.channels import ChannelGraph, ChannelGroup

__all__ = ["Explanation", "GroupExplanation", "Saving", "explain"]

_SHOWN = 3  # layers of a group in the table; all of them are in the data


@dataclass(frozen=True)
class Saving:
    """What a model would save with fewer units in one group.

    Args:
        units: how many units of the group stay.
        parameters: numbers in weights that it saves.
        macs: multiply-accumulates an image that it saves; None where they cannot be counted.
        size: bytes of the int8 file that it saves; None where it was not measured.
        latency: share of the int8 file's time that the smaller model takes, with its limits; None where it
            was not measured.
    """

    units: int
    parameters: int
    macs: int | None
    size: int | None = None
    latency: Interval | None = None


@dataclass(frozen=True)
class GroupExplanation:
    """One group of channels that live and die together.

    Args:
        name: of the group.
        units: how many units it has; one unit is kept or removed as a whole.
        channels: how many channels these are in the layer that makes them first.
        layers: the layers tied together: those that make the channels, or have parameters for each.
        takers: the layers whose kernels take them in.
        locked: why nothing may be removed; None: the group may be pruned.
        exact: False where even removing a channel of zeros changes the outputs.
        step: what one step fewer would save; None for a locked group, or one without a smaller count.
        half: what half of them would save; None as for `step`.
    """

    name: str
    units: int
    channels: int
    layers: tuple[str, ...]
    takers: tuple[str, ...]
    locked: str | None
    exact: bool
    step: Saving | None = None
    half: Saving | None = None


@dataclass(frozen=True)
class Explanation:
    """Which channels of a model could go, and what that would save. `str()` makes a table of it.

    Args:
        model: the model's name.
        parameters: numbers in its weights.
        macs: multiply-accumulates of an image; None where they cannot be counted.
        size: bytes of its int8 file; None where it was not made.
        latency: milliseconds an image takes in that file on this machine; None where it was not measured.
        groups: in the order of the graph.
        round_to: channels that a step is about.
        notes: what one must know to read the numbers rightly.
    """

    model: str
    parameters: int
    macs: int | None
    size: int | None
    latency: Measurement | None
    groups: tuple[GroupExplanation, ...]
    round_to: int = 8
    notes: tuple[str, ...] = ()

    @property
    def prunable(self) -> int:
        """How many channels may be removed at all, one of each group apart."""
        return sum(group.channels for group in self.groups if group.locked is None)

    def to_data(self) -> dict[str, Any]:
        """Returns it as plain data, for a report."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    def __str__(self) -> str:
        free = [group for group in self.groups if group.locked is None]
        locked = [group for group in self.groups if group.locked is not None]
        cost = "MACs that cannot be counted" if self.macs is None else f"{self.macs:,} MACs"
        lines = [
            f"Model {self.model}: {self.parameters:,} parameters, {cost}; {self.prunable:,} channels in "
            f"{_groups(len(free))} may be pruned; {_groups(len(locked))} locked",
            "",
            *_table(_heads(free, self.round_to), [_row(group) for group in free]),
        ]
        if locked:
            lines += ["", *_table(("Locked", "Channels", "Why"), [_locked_row(group) for group in locked])]
        if self.notes:
            lines += ["", *self.notes]
        return "\n".join([*lines, ""])


def explain(
    model: keras.Model,
    *,
    round_to: int = 8,
    size: bool = False,
    latency: bool = False,
    image_shape: tuple[int, int, int] | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """Says which channels of a model live and die together, what is locked and why, and what each would save.

    Args:
        model: a built Functional or Sequential model; it stays as it is.
        round_to: a step is so many channels, as in pruning.
        size: convert the model with half of each group to int8, and say what that saves (seconds a group).
        latency: time it too, on this machine.
        image_shape: (height, width, channels), for a model that leaves its image size open, where it is
            converted.
        progress: told of each conversion.

    Raises:
        ModelError: the model's graph cannot be followed.
        ConfigError: `round_to` is no number of channels.
        ConversionError: the model cannot be converted (for size and latency).

    Example:
        >>> print(trimtab.channel_pruning.explain(model))
    """
    if isinstance(round_to, bool) or not isinstance(round_to, int) or round_to < 1:
        raise ConfigError(f"round_to={round_to!r} must be a number of channels, 1 or more (usual: 8).")
    graph = find_groups(model)
    probes = Probes(graph, image_shape=image_shape, progress=progress) if size or latency else None
    whole = graph.parameters({}), graph.macs({})
    return Explanation(
        model=str(model.name),
        parameters=whole[0],
        macs=whole[1],
        size=None if probes is None else probes.size({}),
        latency=probes.latency({}).milliseconds if probes is not None and latency else None,
        groups=tuple(_explained(graph, group, round_to, probes, latency) for group in graph.groups),
        round_to=round_to,
        notes=() if probes is None else (PROBED,),
    )


def _explained(
    graph: ChannelGraph, group: ChannelGroup, round_to: int, probes: Probes | None, latency: bool
) -> GroupExplanation:
    """Explains one group."""
    maker = next(member for member in group.members if member.role == "out")
    steps: tuple[Saving | None, Saving | None] = (None, None)
    allowed = allowed_counts(group, round_to, 1)
    if group.locked is None and group.size > 1:
        half = max(group.size // 2, 1)
        steps = (
            _saving(graph, group, allowed[1], None, latency) if len(allowed) > 1 else None,
            _saving(graph, group, half, probes, latency),
        )
    return GroupExplanation(
        name=group.name,
        units=group.size,
        channels=channels_made(maker),
        layers=group.layers,
        takers=tuple(dict.fromkeys(member.layer for member in group.members if member.role == "in")),
        locked=group.locked,
        exact=group.exact,
        step=steps[0],
        half=steps[1],
    )


def _saving(
    graph: ChannelGraph, group: ChannelGroup, count: int, probes: Probes | None, latency: bool
) -> Saving:
    """Says what the model saves when so many units of a group stay."""
    counts = {group.name: count}
    before, after = graph.macs({}), graph.macs(counts)
    macs = None if before is None or after is None else before - after
    parameters = graph.parameters({}) - graph.parameters(counts)
    if probes is None:
        return Saving(count, parameters, macs)
    keep = {group.name: np.arange(count)}  # which ones does not matter for what they cost
    share = probes.latency(keep).share if latency else None
    return Saving(count, parameters, macs, probes.size({}) - probes.size(keep), share)


def _heads(groups: list[GroupExplanation], round_to: int) -> tuple[str, ...]:
    """Returns the heads of the columns that the groups have something in."""
    halves = [group.half for group in groups if group.half is not None]
    heads = [
        "Group",
        "Channels",
        f"Parameters, {round_to} fewer",
        "if halved",
        f"MACs, {round_to} fewer",
        "if halved",
    ]
    if any(half.size is not None for half in halves):
        heads.append("int8 bytes, if halved")
    if any(half.latency is not None for half in halves):
        heads.append("latency, if halved")
    return (*heads, "Ties together")


def _row(group: GroupExplanation) -> tuple[str, ...]:
    """Writes a group that may be pruned as cells."""
    units = "" if group.units == group.channels else f" ({group.units} units)"
    cells = [group.name, f"{group.channels:,}{units}"]
    for quantity in ("parameters", "macs"):
        for saving in (group.step, group.half):
            value = None if saving is None else getattr(saving, quantity)
            cells.append("-" if value is None else f"{-value:,}")
    if group.half is not None and group.half.size is not None:
        cells.append(f"{-group.half.size:,}")
    if group.half is not None and group.half.latency is not None:
        cells.append(f"{group.half.latency.value - 1:+.1%}")
    others = [layer for layer in group.layers if layer != group.name]
    tied = ", ".join(others[:_SHOWN]) + (f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else "")
    return (*cells, tied + ("" if group.exact else " (its normalisation counts the channels)"))


def _locked_row(group: GroupExplanation) -> tuple[str, ...]:
    """Writes a locked group as cells."""
    return group.name, f"{group.channels:,}", str(group.locked)


def _groups(count: int) -> str:
    """Says how many groups there are."""
    return f"{count} group" if count == 1 else f"{count} groups"


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Sets cells in columns: the first and the last to the left, numbers between to the right."""
    if not rows:
        return ["(none)"]
    every = [heads, *rows]
    widths = [max(len(row[column]) for row in every if column < len(row)) for column in range(len(heads))]
    lines = []
    for row in every:
        inner = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=False)]
        lines.append("  ".join([row[0].ljust(widths[0]), *inner, row[-1]]).rstrip())
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
