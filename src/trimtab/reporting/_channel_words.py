"""What a pruning of channels was asked to do and what it did, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trimtab._choices import USUAL_ROUNDS
from trimtab.reporting._fields import Fields
from trimtab.reporting._formats import count, percent, share

__all__ = ["channel_rounds", "channels_gone", "channels_pruned", "reasons"]

_IMPORTANCE = {
    "l1": "by their L1 norm",
    "l2": "by their L2 norm",
    "bn_scale": "by the scale of their batch normalization",
    "taylor": "by weight times gradient",
    "fpgm": "by their distance from the geometric median",
    "random": "by chance",
}
_LEARNED = {
    "bn": "after learning sparse scales of batch normalization",
    "kernels": "after learning sparse kernels",
}


def channels_pruned(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Says what went, and how: "25 % of its channels removed (asked: MACs 50%, by their L2 norm)"."""
    gone, asked = record.get("ratio"), _asked(config, record)
    told = f"{share(gone)} of its channels removed" if isinstance(gone, int | float) else "channels removed"
    teacher = record.get("teacher") or config.get("teacher")
    importance = config.get("importance") or record.get("importance")
    ways = [
        f"asked: {asked}" if asked else "",
        _IMPORTANCE.get(str(importance), f"by {importance}" if importance else ""),
        "group by group" if config.get("ranking") == "group" else "",
        _rounds(config),
        _LEARNED.get(str(config.get("sparsity_learning")), ""),
        f"with help from {teacher}" if teacher else "",
    ]
    how = ", ".join(filter(None, ways))
    return told + (f" ({how})" if how else "")


def channels_gone(ratio: float | None) -> str:
    """Says what share of the channels is gone: "half the channels are gone"."""
    if ratio is None:
        return "channels are gone"
    for part, word in ((0.25, "a quarter of"), (0.5, "half"), (0.75, "three quarters of")):
        if abs(ratio - part) < 0.01:
            return f"{word} the channels are gone"
    return f"{share(ratio)} of the channels are gone"


def channel_rounds(record: Fields) -> list[tuple[str, str]]:
    """Returns what each of several rounds came to, as pairs of words; nothing where there was one."""
    turns = record.objects("rounds")
    if len(turns) < 2:
        return []
    found = []
    for number, turn in enumerate(turns, 1):
        accuracy = turn.number("val_accuracy")
        measured = f", {percent(accuracy)} on the validation images" if accuracy is not None else ""
        left = f"{count(turn.number('parameters'))} parameters, {count(turn.number('macs'))} MACs"
        name = f"round {turn.integer('number') or number}"
        found.append((name, f"{share(turn.number('ratio'))} of the channels gone, {left}{measured}"))
    return found


def reasons(skipped: Sequence[tuple[str, str]], most: int = 4) -> list[tuple[str, str]]:
    """Gathers what was left alone by its reason: names that share one, and the reason."""
    names: dict[str, list[str]] = {}
    for name, reason in skipped:
        names.setdefault(reason, []).append(name)
    return [
        (", ".join(group[:most]) + (f" and {len(group) - most} more" if len(group) > most else ""), reason)
        for reason, group in names.items()
    ]


def _asked(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Returns the target as it was written: "MACs 50%"."""
    words = {"macs": "MACs", "size": "int8 file", "ratio": "channels to remove"}
    for name in ("ratio", "parameters", "macs", "size", "latency"):
        if (value := config.get(name)) is not None:
            shown = share(value) if name == "ratio" and isinstance(value, float) else str(value)
            return f"{words.get(name, name)} {shown}"
    return str(record.get("asked") or "")


def _rounds(config: Mapping[str, Any]) -> str:
    if config.get("channel_schedule") != "iterative":
        return ""
    return f"in {config.get('rounds') or USUAL_ROUNDS} rounds"
