"""Which units go: all of them in one order, of which a longer or shorter beginning is taken.

Nested by construction: what goes at some ratio goes at any larger one.
"""

from __future__ import annotations

import itertools
import numbers
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trimtab.channel_pruning._importance import Floats
from trimtab.channel_pruning._rule import SelectionRule
from trimtab.channel_pruning._where import chosen_groups
from trimtab.channels._rounding import allowed_counts
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.channels import ChannelGraph, ChannelGroup

__all__ = ["Block", "RemovalOrder", "best_units", "normalized", "removal_order", "select"]

Indices = npt.NDArray[np.intp]

_HAIR = 1e-9  # below this, two shares are the same


@dataclass(frozen=True)
class Block:
    """Units of one group that go together, so that its count steps from one allowed number to the next.

    Args:
        group: the group's name.
        before: units of the group before.
        after: units of the group after.
        goes_above: the block is gone at each ratio above this.
    """

    group: str
    before: int
    after: int
    goes_above: float


@dataclass(frozen=True, eq=False)
class RemovalOrder:
    """All that may go, in the order in which it goes.

    A *state* is a number of blocks, from the beginning of `blocks`, that are gone.

    Args:
        units: by group, its units, the one that matters least first.
        blocks: in the order in which they go.
        left: groups that stay whole, each with the reason.
    """

    units: Mapping[str, Indices]
    blocks: tuple[Block, ...]
    left: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Number of units in all groups that may be pruned."""
        return sum(len(units) for units in self.units.values())

    @cached_property
    def states(self) -> tuple[int, ...]:
        """The states to choose from, 0 first; blocks that go at the same ratio go together."""
        above = [block.goes_above for block in self.blocks] + [np.inf]
        ends = (place + 1 for place, (own, then) in enumerate(itertools.pairwise(above)) if then > own)
        return (0, *ends)

    def state(self, ratio: float) -> int:
        """Returns the state that comes nearest to removing such a share of the units."""
        return bisect_left([block.goes_above for block in self.blocks], ratio - _HAIR)

    def counts(self, state: int) -> dict[str, int]:
        """Returns how many units each group keeps."""
        kept = {name: len(units) for name, units in self.units.items()}
        kept.update((block.group, block.after) for block in self.blocks[:state])
        return kept

    def keep(self, state: int) -> dict[str, Indices]:
        """Returns which units each group keeps, in rising order."""
        return {
            name: np.sort(self.units[name][len(self.units[name]) - count :])
            for name, count in self.counts(state).items()
        }

    def ratio(self, state: int) -> float:
        """Returns the share of all units that is gone."""
        return 1 - sum(self.counts(state).values()) / self.size


def removal_order(
    graph: ChannelGraph, scores: Mapping[str, Floats], rule: SelectionRule | None = None
) -> RemovalOrder:
    """Puts all that may go in the order in which it goes.

    Args:
        graph: what `trimtab.channels.find_groups` gave.
        scores: what `trimtab.channel_pruning.scores` gave; a group without scores stays whole.
        rule: what is compared with what, in which steps, what is left alone; None: the usual.

    Raises:
        ConfigError: a layer name is unknown, or nothing may go.
    """
    rule = SelectionRule() if rule is None else rule
    groups, left = chosen_groups(graph, scores, rule)
    allowed = {g.name: allowed_counts(g, rule.round_to, rule.least, rule.max_ratio) for g in groups}
    if all(len(counts) == 1 for counts in allowed.values()):
        told = f"; {left[0][0]!r}: {left[0][1]}" if left else ""
        raise ConfigError(
            f"No channel may go: each of the {len(groups)} groups to choose from is at its floor (least="
            f"{rule.least}, round_to={rule.round_to}, max_ratio={rule.max_ratio:g}{told}). Lower least and "
            "round_to, or name other layers."
        )
    # Stable, so that of equal units the last ones go: slicing off the end is easiest to read.
    units = {g.name: np.argsort(scores[g.name][::-1], kind="stable") for g in groups}
    units = {name: (len(order) - 1 - order).astype(np.intp) for name, order in units.items()}
    for group in groups:
        if len(allowed[group.name]) == 1:
            left.append(
                (group.name, f"all of its {group.size} units are needed by least, round_to or max_ratio")
            )
    ordered = (
        _by_group(groups, allowed) if rule.ranking == "group" else _global(groups, allowed, scores, rule)
    )
    return RemovalOrder(units, tuple(ordered), tuple(left))


def select(
    graph: ChannelGraph, scores: Mapping[str, Floats], ratio: float, rule: SelectionRule | None = None
) -> dict[str, Indices]:
    """Chooses which units stay when a share of them goes.

    Args:
        graph: what `trimtab.channels.find_groups` gave.
        scores: what `trimtab.channel_pruning.scores` gave.
        ratio: share of the units to remove, of those in groups that may be pruned, in (0, 1). The steps
            that `rule` allows are hit as nearly as they let; floors may end it before.
        rule: what is compared with what, in which steps, what is left alone; None: the usual.

    Returns:
        For each group that may be pruned, the units that stay, in rising order; never none. What stays at a
        ratio stays at each smaller one.

    Raises:
        ConfigError: the ratio is out of range, a layer name is unknown, or nothing may go.

    Example:
        >>> keep = select(graph, scores(graph, "l2"), 0.5)
        >>> smaller = trimtab.channels.remove(graph.model, keep)
    """
    order = removal_order(graph, scores, rule)
    return order.keep(order.state(check_ratio(ratio)))


def best_units(scores: Mapping[str, Floats], counts: Mapping[str, int]) -> dict[str, Indices]:
    """Chooses the units with the largest scores, so many of each group as is said.

    It takes a shape that was found before, by `solve` say, and fills it by scores of now.

    Args:
        scores: by group, (size,).
        counts: by group, how many stay, 1 to size.

    Raises:
        ConfigError: a group has no scores, or not so many units.
    """
    for name, count in counts.items():
        if name not in scores or not 1 <= count <= len(scores[name]):
            there = f"{len(scores[name])} units" if name in scores else "no scores"
            raise ConfigError(f"{count} units of group {name!r} cannot stay: it has {there}.")
    # As in `removal_order`: of equal units the first ones stay.
    return {
        name: np.sort(np.argsort(-scores[name], kind="stable")[:count]).astype(np.intp)
        for name, count in counts.items()
    }


def check_ratio(ratio: Any) -> float:
    """Returns a share of channels to remove as a float, after checking it."""
    if isinstance(ratio, bool) or not isinstance(ratio, numbers.Real) or not 0 < float(ratio) < 1:
        raise ConfigError(
            f"ratio={ratio!r} must be a share of the channels above 0 and below 1: 0.5 removes half of them."
        )
    return float(ratio)


def _by_group(groups: list[ChannelGroup], allowed: Mapping[str, tuple[int, ...]]) -> list[Block]:
    """Orders blocks such that each group loses the same share: its count is the nearest that is allowed."""
    blocks = [
        # Rounded, so that equal shares of groups of different sizes are equal numbers.
        Block(group.name, before, after, round(1 - (before + after) / 2 / group.size, 12))
        for group in groups
        for before, after in _steps(allowed[group.name])
    ]
    return sorted(blocks, key=lambda block: block.goes_above)


def _global(
    groups: list[ChannelGroup],
    allowed: Mapping[str, tuple[int, ...]],
    scores: Mapping[str, Floats],
    rule: SelectionRule,
) -> list[Block]:
    """Orders blocks by the mean of their units' scores, all groups together."""
    found: list[tuple[str, int, int]] = []
    means: list[float] = []
    for group in groups:
        rising = np.sort(normalized(scores[group.name], rule.normalization))
        steps = _steps(allowed[group.name])
        own = [rising[group.size - before : group.size - after].mean() for before, after in steps]
        # A mean may be rounded below the one before it; a group's blocks must stay in their order.
        means.extend(np.maximum.accumulate(own) if own else [])
        found.extend((group.name, before, after) for before, after in steps)
    total, gone, blocks = sum(group.size for group in groups), 0, []
    for place in np.argsort(means, kind="stable"):
        name, before, after = found[place]
        # Gone from half way on: the nearest total is what a ratio gets.
        blocks.append(Block(name, before, after, (gone + (before - after) / 2) / total))
        gone += before - after
    return blocks


def _steps(allowed: tuple[int, ...]) -> list[tuple[int, int]]:
    """Lists the steps from one allowed number to the next."""
    return list(itertools.pairwise(allowed))


def normalized(scores: Floats, by: str) -> Floats:
    """Makes the scores of a group comparable with those of others."""
    scale = {"mean": float(scores.mean()), "max": float(scores.max()), "none": 1.0}[by]
    return scores / scale if scale > 0 else scores
