"""How many units of a group may stay: multiples that hardware likes, and a floor, counted in channels."""

from __future__ import annotations

import math

import numpy as np

from trimtab.channels._groups import ChannelGroup, Member

__all__ = ["allowed_counts", "channels_made", "channels_per_unit"]


def channels_made(member: Member) -> int:
    """Counts the channels that an axis of a weight makes for its group.

    Mostly one for each place; for each head of an attention, as many numbers as it has.
    """
    return int((np.asarray(member.units) >= 0).sum()) * _behind(member)


def channels_per_unit(group: ChannelGroup) -> tuple[int, ...]:
    """Lists how many channels one unit has in the layers that make them: (1,) for ordinary ones."""
    found: set[int] = set()
    for member in group.members:
        if member.role == "out":
            units = np.asarray(member.units)
            counts = np.bincount(units[units >= 0], minlength=group.size) * _behind(member)
            found |= {int(count) for count in counts if count}
    return tuple(sorted(found)) or (1,)


def allowed_counts(group: ChannelGroup, round_to: int, least: int, max_ratio: float = 1.0) -> tuple[int, ...]:
    """Lists how many units may stay in a group, from all of them downwards.

    All of them may always stay. Else the channels are a multiple of `round_to`; where the group has fewer
    than that, its units are a multiple of the largest power of two that is at most half of them.

    Args:
        group: the group.
        round_to: channels come in multiples of this.
        least: at least so many channels stay, or all where there are fewer.
        max_ratio: at most this share of the units goes; 1: all but the floor.

    Returns:
        Numbers of units from `group.size` down to the floor; never below 1.
    """
    widths = channels_per_unit(group)
    step = math.lcm(*(round_to // math.gcd(round_to, width) for width in widths))
    if step > group.size:
        step = 1 << max((group.size // 2).bit_length() - 1, 0)
    # The small number: 10 * (1 - 0.9) is a little more than 1 in floating point.
    floor = max(math.ceil(least / widths[0]), math.ceil(group.size * (1 - max_ratio) - 1e-9), 1)
    lowest = -(-floor // step) * step
    below = range((group.size - 1) // step * step, lowest - 1, -step)
    return (group.size, *below)


def _behind(member: Member) -> int:
    """Counts the channels that stand behind each place of an axis that makes them."""
    # The heads of attention are an axis of "query/kernel" and its like; behind it are the numbers of a head.
    # In all other kernels, what stands behind the filters is what they take in.
    return math.prod(member.variable.shape[member.axis + 1 :]) if "/" in member.weight else 1
