"""Groups of channels as plain data: what they tie together, what halving saves, what pruning left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trimtab._units import amount
from trimtab.errors import ConfigError
from trimtab.reporting._fields import Fields, damaged_item, pairs
from trimtab.reporting._formats import count, milliseconds, share, size

__all__ = ["ChannelGroup", "ChannelPruning", "ChannelTotals", "read_explanation", "read_pruning"]

_QUANTITIES = {
    "ratio": "channels to remove",
    "parameters": "parameters",
    "macs": "MACs",
    "size": "int8 file",
    "latency": "latency",
}


@dataclass(frozen=True)
class ChannelTotals:
    """A whole model, for shares of it; None where something was not counted or measured."""

    parameters: int | None = None
    macs: int | None = None
    size: int | None = None
    model: str = ""


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that live and die together.

    Attributes:
        before: units that it had; one unit is kept or removed as a whole.
        after: units that are left; None where nothing was pruned yet.
        channels: how many channels the units are in the layer that makes them.
        layers: those that are tied together.
        takers: the layers that take the channels in.
        locked: why it was left alone; empty where it was not.
        exact: whether removing channels of zeros leaves the outputs as they are.
        saved: what halving it saves of the whole model, by quantity: numbers, or a share for ``latency``.
    """

    name: str
    before: int
    after: int | None = None
    channels: int = 0
    layers: tuple[str, ...] = ()
    takers: tuple[str, ...] = ()
    locked: str = ""
    exact: bool = True
    saved: Mapping[str, float] | None = None

    @property
    def counted(self) -> str:
        """Says how many channels it had, and has: ``"16 → 8"``; units, where one is several."""
        units = f"{self.before:,}" if self.after is None else f"{self.before:,} → {self.after:,}"
        return units if self.channels in (0, self.before) else f"{units} units"

    @property
    def size(self) -> str:
        """Says how many channels it had: ``"16 channels"``, or ``"512 channels in 4 units"``."""
        if self.channels in (0, self.before):
            return f"{self.before:,} channels"
        return f"{self.channels:,} channels in {self.before:,} units"


@dataclass(frozen=True)
class ChannelPruning:
    """What removing channels did to a model: numbers before and after.

    Attributes:
        ratio: share of the channels that is gone, of those that may be, 0..1.
        asked: what was asked for, as it was written, such as ``"macs=50%"``.
        reached: what was reached of it.
        teacher: name of the step whose model helped it recover; empty where none did.
    """

    groups: tuple[ChannelGroup, ...]
    parameters: tuple[int | None, int | None] = (None, None)
    macs: tuple[int | None, int | None] = (None, None)
    ratio: float | None = None
    asked: str = ""
    reached: float | None = None
    importance: str = ""
    ranking: str = ""
    teacher: str = ""
    totals: ChannelTotals | None = None

    @property
    def channels(self) -> tuple[int, int]:
        """Units before and after, over the groups that may lose some."""
        free = [group for group in self.groups if group.after is not None]
        return sum(group.before for group in free), sum(group.after or 0 for group in free)

    @property
    def told_asked(self) -> str:
        """Says what was asked for: ``"MACs: at most 50 % of before"``."""
        quantity, _, value = self.asked.partition("=")
        what = _QUANTITIES.get(quantity)
        if what is None:
            return self.asked
        try:
            limit = amount(quantity, _written(value)) if quantity != "ratio" else None
            given = share(float(value)) if limit is None else ""
        except (ConfigError, ValueError):
            return self.asked
        if limit is None:
            return f"{what}: {given}"
        if limit.relative:
            return f"{what}: at most {share(limit.value)} of before"
        return f"{what}: at most {_shown(quantity, limit.value)}"

    @property
    def told_reached(self) -> str:
        """Says what was reached: ``"5.62 M (45 % of before)"``; empty where that is not recorded."""
        quantity, reached = self.asked.partition("=")[0], self.reached
        if reached is None:
            return ""
        before = {"parameters": self.parameters[0], "macs": self.macs[0]}.get(quantity)
        of = f" ({share(reached / before)} of before)" if before else ""
        return f"{_shown(quantity, reached)}{of}"


def read_explanation(record: Fields) -> tuple[ChannelTotals, tuple[ChannelGroup, ...]]:
    """Reads which groups a model has, and what each would save.

    Raises:
        RunError: the record holds something else.
    """
    totals = ChannelTotals(
        record.integer("parameters"), record.integer("macs"), record.integer("size"), record.text("model")
    )
    groups = tuple(
        ChannelGroup(
            name=group.text("name"),
            before=group.integer("units") or 0,
            channels=group.integer("channels") or 0,
            layers=group.texts("layers"),
            takers=group.texts("takers"),
            locked=group.text("locked"),
            exact=group.content.get("exact") is not False,
            saved=_saved(group.fields("half")) if group.content.get("half") else None,
        )
        for group in record.objects("groups")
    )
    return totals, groups


def read_pruning(record: Fields, explanation: Fields | None = None) -> ChannelPruning:
    """Reads what a pruning of channels did, with what was known of its groups before.

    Args:
        record: of the pruning.
        explanation: of the model that was pruned, if it was kept.

    Raises:
        RunError: one of them holds something else.
    """
    totals, known = (None, ()) if explanation is None else read_explanation(explanation)
    changes = {str(name): (before, after) for name, before, after in _triples(record)}
    reasons = dict(pairs(record, "skipped"))
    tied = record.fields("tied")
    if not known:
        rest = [name for name in reasons if name not in changes]
        known = tuple(
            ChannelGroup(name, changes.get(name, (0, 0))[0], layers=tied.texts(name))
            for name in (*changes, *rest)
        )
    groups = tuple(
        replace(
            group,
            before=changes.get(group.name, (group.before, 0))[0],
            after=changes[group.name][1] if group.name in changes else None,
            locked=reasons.get(group.name, group.locked),
        )
        for group in known
    )
    return ChannelPruning(
        groups,
        parameters=_two(record, "parameters"),
        macs=_two(record, "macs"),
        ratio=record.number("ratio"),
        asked=record.text("asked"),
        reached=record.number("reached"),
        importance=record.text("importance"),
        ranking=record.text("ranking"),
        teacher=record.text("teacher"),
        totals=totals,
    )


def _saved(half: Fields) -> dict[str, float]:
    """Reads what half of a group's channels cost; of the latency, the share that goes."""
    found = {name: half.number(name) for name in ("parameters", "macs", "size")}
    time = half.fields("latency").number("value")
    found["latency"] = None if time is None else 1 - time
    return {name: value for name, value in found.items() if value is not None}


def _triples(record: Fields) -> list[tuple[str, int, int]]:
    """Reads the groups of a pruning: name, units before, units after."""
    found = []
    for item in record.items("groups"):
        whole = isinstance(item, list) and len(item) == 3 and all(isinstance(n, int) for n in item[1:])
        if not whole:
            raise damaged_item(record, "groups", item, "a name and two numbers of channels")
        found.append((str(item[0]), item[1], item[2]))
    return found


def _two(record: Fields, key: str) -> tuple[int | None, int | None]:
    """Reads a number before and after."""
    found = record.items(key)
    if not found:
        return None, None
    if len(found) != 2 or not all(one is None or isinstance(one, int | float) for one in found):
        raise damaged_item(record, key, found, "a number before and one after")
    before, after = (None if one is None else int(one) for one in found)
    return before, after


def _written(value: str) -> Any:
    """Returns a plain number as one; what has a unit stays text."""
    try:
        return float(value)
    except ValueError:
        return value


def _shown(quantity: str, value: float) -> str:
    """Writes an amount in its unit."""
    if quantity == "ratio":
        return share(value)
    if quantity == "size":
        return size(value)
    return f"{milliseconds(value)} ms" if quantity == "latency" else count(value)
