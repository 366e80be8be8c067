"""What the page says of channel pruning: before and after, as a whole and group by group."""

from __future__ import annotations

from typing import Any

from trimtab.reporting import _formats as formats
from trimtab.reporting._channel_words import reasons
from trimtab.reporting._channels import ChannelGroup, ChannelPruning
from trimtab.reporting._data import ReportData, Step

__all__ = ["channel_sections"]

_SHOWN = 5  # layers of a group in the table; all of them are in its record
_JUDGED = {
    "l1": "L1 norm of its weights",
    "l2": "L2 norm of its weights",
    "bn_scale": "scale of its batch normalization",
    "taylor": "weight times gradient, on training images",
    "fpgm": "distance from the geometric median",
    "random": "chance",
}


def channel_sections(data: ReportData) -> list[dict[str, Any]]:
    """Returns what the template shows of each step that removed channels."""
    return [_section(data, step, step.channels) for step in data.steps if step.channels is not None]


def _section(data: ReportData, step: Step, pruned: ChannelPruning) -> dict[str, Any]:
    saved = any(group.saved for group in pruned.groups)
    return {
        "name": step.name,
        "source": step.source or "the model",
        "chart": f"channels_{step.name}",
        "savings": f"savings_{step.name}",
        "facts": _facts(step, pruned),
        "whole": _whole(data, step, pruned),
        "missed": step.missed,
        "saved": saved,
        "groups": [_group(group, pruned) for group in pruned.groups],
        "reasons": reasons([(group.name, group.locked) for group in pruned.groups if group.locked]),
    }


def _facts(step: Step, pruned: ChannelPruning) -> list[tuple[str, str]]:
    """Returns what was asked, what was reached and how, as pairs of words."""
    judged = _JUDGED.get(pruned.importance, pruned.importance)
    whom = {"global": ", against the channels of all groups", "group": ", within its group"}
    facts = [
        ("Asked", pruned.told_asked),
        ("Reached", pruned.told_reached),
        ("A channel counts by", judged + whom.get(pruned.ranking, "") if judged else ""),
        ("Teacher", pruned.teacher),
        ("Fine-tuning", f"{len(step.history)} epochs" if step.history else "none"),
    ]
    return [(name, value) for name, value in facts if value]


def _whole(data: ReportData, step: Step, pruned: ChannelPruning) -> list[tuple[str, str, str, str]]:
    """Returns what the whole model had and has: name, before, after, and what is left or changed."""
    source = data.step(step.source)
    sizes = (source.keras_bytes if source else None, step.keras_bytes)
    rows = [
        _line("Channels that may go", *pruned.channels, formats.count),
        _line("Parameters", *pruned.parameters, formats.count),
        _line("MACs", *pruned.macs, formats.count),
        _line("Keras file", *sizes, formats.size),
    ]
    before, after = data.row(step.source), data.row(step.name)
    if before is not None and after is not None:
        old, new = before.value("accuracy"), after.value("accuracy")
        if old is not None and new is not None:
            change = f"{formats.points(new - old)} points"
            rows.append(("Test accuracy", formats.percent(old), formats.percent(new), change))
    return [row for row in rows if row is not None]


def _line(
    name: str, before: float | None, after: float | None, shown: Any
) -> tuple[str, str, str, str] | None:
    if before is None or after is None:
        return None
    return name, shown(before), shown(after), formats.share(after / before) if before else formats.NOTHING


def _group(group: ChannelGroup, pruned: ChannelPruning) -> dict[str, Any]:
    """Returns a group as text: what it ties together, before, after, and what halving it would save."""
    layers, totals = group.layers, pruned.totals
    more = f" and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else ""
    wholes = {"parameters": totals.parameters, "macs": totals.macs} if totals is not None else {}
    saved = [
        formats.signed_share(-value / whole)
        if (value := (group.saved or {}).get(name)) is not None and (whole := wholes.get(name))
        else formats.NOTHING
        for name in ("parameters", "macs")
    ]
    return {
        "name": group.name,
        "layers": ", ".join(layers[:_SHOWN]) + more,
        "before": f"{group.before:,}",
        "after": f"{group.before if group.after is None else group.after:,}",
        "saved": saved,
        "locked": group.locked,
        "exact": group.exact,
    }
