"""Which channels live and die together: what halving each group would save, and what pruning left of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._records import to_plain
from trimtab.errors import ConfigError, RunError
from trimtab.reporting import _formats as formats
from trimtab.reporting._channels import (
    ChannelGroup,
    ChannelPruning,
    ChannelTotals,
    read_explanation,
    read_pruning,
)
from trimtab.reporting._chart import GroupRow, Groups, Strip
from trimtab.reporting._data import ReportData
from trimtab.reporting._fields import Fields
from trimtab.reporting._palette import SERIES_COLOURS

if TYPE_CHECKING:
    from trimtab.channel_pruning import ChannelPruningResult, Explanation

__all__ = ["channel_maps", "draw_channels", "kept_map", "savings_map"]

_BLUE, _ORANGE, _GREEN, _PINK = SERIES_COLOURS[:4]
_GREY = "#9aa3af"
_KEPT = (("stay", _BLUE, 1.0), ("removed", _BLUE, 0.25), ("left alone", _GREY, 0.55))
_SAVED = (
    ("parameters", "parameters", _BLUE),
    ("macs", "MACs", _ORANGE),
    ("size", "int8 bytes", _GREEN),
    ("latency", "time of the int8 file", _PINK),
)
_NORMALIZATION = re.compile(r"(^|[_.])(bn|gn|ln|[a-z]*norm|[a-z]*normalization)\d*([_.]|$)", re.IGNORECASE)


def draw_channels(
    channels: Explanation | ChannelPruningResult | Mapping[str, Any], path: str | Path, title: str = ""
) -> Path:
    """Draws which channels of a model live and die together.

    Of a model that is whole, the bars are what halving each group would save; of one that was pruned, they
    are the channels that each group has left. What may lose none is grey, with the reason.

    Args:
        channels: what `trimtab.channel_pruning.explain` or `trimtab.prune_channels` returned, or its record
            as plain data.
        path: the PNG file to write.
        title: the picture's title; by default it says what is seen.

    Returns:
        The path of the picture.

    Raises:
        ConfigError: the file's name does not end in ``.png`` (in small or large letters).
        RunError: the record is not one of channels.
        OutputError: the file cannot be written.

    Example:
        >>> trimtab.reporting.draw_channels(trimtab.channel_pruning.explain(model), "channels.png")
    """
    from trimtab.reporting._canvas import write_png
    from trimtab.reporting._png import draw

    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ConfigError(f"The picture is a PNG file, but its name is {path.name!r}. End it in .png.")
    return write_png(draw(_map_of(channels, title)), path)


def _map_of(channels: Any, title: str) -> Groups:
    """Returns the chart of an explanation or a result; raises `RunError` where it is neither."""
    needed = "Give what trimtab.channel_pruning.explain or trimtab.prune_channels returned."
    try:
        record = to_plain(channels)
    except TypeError:
        record = None
    if not isinstance(record, dict):
        raise RunError(f"The record of channels is a {type(channels).__name__}, and not one. {needed}")
    fields = Fields(record, "the record of channels")
    items = fields.items("groups")
    if not items:
        raise RunError(f"The record of channels holds no group. {needed}")
    if isinstance(items[0], Mapping):
        totals, groups = read_explanation(fields)
        whose = f" of {totals.model}" if totals.model else ""
        return savings_map(
            totals, groups, "channels", title or f"What halving each group of channels{whose} saves"
        )
    return kept_map(read_pruning(fields), "channels", title or "Channels that each group has left")


def channel_maps(data: ReportData) -> tuple[Groups, ...]:
    """Returns the maps of a run: of each pruning, and of each model before the first one."""
    made: list[Groups] = []
    seen: set[str | None] = set()
    for step in data.steps:
        if (pruned := step.channels) is None or not pruned.groups:
            continue
        made.append(kept_map(pruned, f"channels_{step.name}", f"Channels that {step.name} has left"))
        if pruned.totals is not None and step.source not in seen:
            title = f"What halving each group of channels of {step.source or 'the model'} saves"
            made.append(savings_map(pruned.totals, pruned.groups, f"savings_{step.name}", title))
        seen.add(step.source)
    return tuple(made)


def kept_map(pruned: ChannelPruning, key: str, title: str) -> Groups:
    """Returns how many channels each group has left, as a share of its own.

    Args:
        pruned: what a pruning did.
        key: name of the picture's file, without its ending.
        title: of the picture.
    """
    before, after = pruned.channels
    left = [
        _left("the channels that may go", before, after),
        _left("the parameters", *pruned.parameters),
        _left("the MACs", *pruned.macs),
    ]
    worst = sorted(
        (group for group in pruned.groups if group.after is not None),
        key=lambda group: (group.after or 0) / max(group.before, 1),
    )[:3]
    most = "; ".join(f"{group.name} {group.counted}" for group in worst)
    subtitle = f"Left: {', '.join(filter(None, left))}"
    return Groups(
        key=key,
        title=title,
        alt=f"{title}: {subtitle}. Most were removed from: {most or 'none'}.",
        subtitle=subtitle,
        rows=tuple(_kept_row(group) for group in pruned.groups),
        series=_KEPT,
        x_title="Share of the group's channels",
        lanes=1,
        end=100.0,
        ticks=(0.0, 25.0, 50.0, 75.0, 100.0),
    )


def savings_map(totals: ChannelTotals, groups: tuple[ChannelGroup, ...], key: str, title: str) -> Groups:
    """Returns what halving each group of channels saves, as a share of the whole model.

    Args:
        totals: of the model.
        groups: of its channels.
        key: name of the picture's file, without its ending.
        title: of the picture.
    """
    wholes = {"parameters": totals.parameters, "macs": totals.macs, "size": totals.size, "latency": 1.0}
    known = [
        (name, told, colour, whole)
        for name, told, colour in _SAVED
        if (whole := wholes[name]) and any(name in (group.saved or {}) for group in groups)
    ]
    shares = [
        [(group.saved or {}).get(name, 0.0) * 100 / whole for name, *_, whole in known] for group in groups
    ]
    longest = max((max(line, default=0.0) for line in shares), default=0.0)
    end, ticks = _scale(longest)
    free = [group for group in groups if group.saved]
    counts = [
        f"{formats.count(totals.parameters)} parameters" if totals.parameters is not None else "",
        f"{formats.count(totals.macs)} MACs" if totals.macs is not None else "",
        f"{sum(group.channels or group.before for group in free):,} channels in {len(free)} groups may go",
    ]
    best = sorted(zip(shares, groups, strict=True), key=lambda entry: -max(entry[0], default=0.0))[:3]
    most = "; ".join(f"{group.name} {max(line, default=0.0):.1f} %" for line, group in best)
    return Groups(
        key=key,
        title=title,
        alt=f"{title}. {', '.join(filter(None, counts))}. Most is saved by: {most}.",
        subtitle=", ".join(filter(None, counts)),
        rows=tuple(
            _savings_row(group, [told for _, told, *_ in known], line)
            for group, line in zip(groups, shares, strict=True)
        ),
        series=tuple((told, colour, 1.0) for _, told, colour, _ in known),
        x_title="Saved if the group is halved (% of the whole model)",
        lanes=max(len(known), 1),
        end=end,
        ticks=ticks,
    )


def _kept_row(group: ChannelGroup) -> GroupRow:
    """Returns a group with the share that stays, and the one that went."""
    whole = group.after is None or (group.after == group.before and bool(group.locked))
    stay = 100.0 if whole or not group.before else 100.0 * (group.after or 0) / group.before
    strips = [Strip(2 if whole else 0, 0.0, stay, group.counted if stay == 100.0 else "")]
    if stay < 100.0:
        strips.append(Strip(1, stay, 100.0 - stay, group.counted))
    reason = (group.locked or "it was not asked for") if whole else ""
    return GroupRow(group.name, _others(group), reason, tuple(strips), _hover(group))


def _savings_row(group: ChannelGroup, told: list[str], shares: list[float]) -> GroupRow:
    """Returns a group with what halving it saves; one that may lose no channel has no bar."""
    strips = tuple(
        Strip(lane, 0.0, max(share, 0.0), f"{share:.1f} %".replace("-", "−"), lane)
        for lane, share in enumerate(shares)
        if group.saved
    )
    saved = [
        f"halved: {what} −{share:.1f} %" for what, share in zip(told, shares, strict=True) if group.saved
    ]
    reason = "" if group.saved else group.locked or "it has no smaller size"
    return GroupRow(group.name, _others(group), reason, strips, (*_hover(group), *saved), group.size)


def _others(group: ChannelGroup) -> tuple[str, ...]:
    """Returns the layers that are tied to a group's first one; a normalization goes with its layer unsaid."""
    first = group.layers[0] if group.name not in group.layers and group.layers else group.name
    others = (layer for layer in group.layers if layer != first)
    return tuple(layer for layer in others if not _NORMALIZATION.search(layer.rpartition("/")[2]))


def _hover(group: ChannelGroup) -> tuple[str, ...]:
    """Says all that is known of a group."""
    lines = [group.size if group.after is None else f"{group.size}: {group.counted}"]
    if group.locked:
        lines.append(f"left alone: {group.locked}")
    for what, layers in (("ties", group.layers), ("feeds", group.takers)):
        if layers:
            shown = ", ".join(layers[:6]) + (f" and {len(layers) - 6} more" if len(layers) > 6 else "")
            lines.append(f"{what} {shown}")
    if not group.exact:
        lines.append("its normalization counts the channels")
    return tuple(lines)


def _left(what: str, before: int | None, after: int | None) -> str:
    """Says how much of something is left: "60 % of the parameters"."""
    return "" if not before or after is None else f"{formats.share(after / before)} of {what}"


def _scale(longest: float) -> tuple[float, tuple[float, ...]]:
    """Returns where an axis of percents ends, and what to mark on it."""
    step = next((step for step in (0.5, 1.0, 2.0, 5.0, 10.0) if longest / step <= 6), 20.0)
    count = max(int(longest // step), 1)
    return max(longest, step), tuple(step * number for number in range(count + 1))
