"""What a group lasso pulls: which positions of which variables belong to one unit of a group of channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.channels import ChannelGroup, Member

__all__ = ["LassoGroup", "LassoPiece", "lasso_groups", "moved"]


@dataclass(frozen=True)
class LassoPiece:
    """The part of one variable that belongs to a group.

    Args:
        index: place of the variable among those that are trained.
        axis: along which of its axes the units lie.
        units: the unit of each position on that axis; -1: none of this group.
    """

    index: int
    axis: int
    units: tuple[int, ...]


@dataclass(frozen=True)
class LassoGroup:
    """Units that are pulled towards zero, each as a whole.

    Args:
        size: how many units there are.
        pieces: the variables that hold them.
    """

    size: int
    pieces: tuple[LassoPiece, ...]

    def to_plain(self) -> dict[str, Any]:
        """Returns the group as plain data."""
        return {"size": self.size, "pieces": [[p.index, p.axis, list(p.units)] for p in self.pieces]}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Makes the group from what `to_plain` gave."""
        pieces = (LassoPiece(int(index), int(axis), tuple(units)) for index, axis, units in plain["pieces"])
        return cls(int(plain["size"]), tuple(pieces))


def lasso_groups(groups: Sequence[ChannelGroup], trained: Sequence[Any], kind: str) -> tuple[LassoGroup, ...]:
    """Returns what is pulled in the groups that may be pruned.

    Args:
        groups: the groups of channels.
        trained: the model's trainable variables, in their order.
        kind: "bn": the scales of batch normalisation; "kernels": all kernels that make or take the channels.

    Raises:
        ConfigError: none of the groups has such a weight that is trained.
    """
    places = {id(variable): index for index, variable in enumerate(trained)}
    found = []
    for group in groups:
        pieces = [
            LassoPiece(places[id(member.variable)], int(member.axis), tuple(int(u) for u in member.units))
            for member in group.members
            if id(member.variable) in places and _pulled(member, kind)
        ]
        if pieces:
            found.append(LassoGroup(int(group.size), tuple(dict.fromkeys(pieces))))
    if not found:
        other = "kernels" if kind == "bn" else "bn"
        what = "batch normalisation with a scale" if kind == "bn" else "kernels"
        raise ConfigError(
            f"sparsity_learning={kind!r} needs {what} in the groups to prune, but none that is trained was "
            f"found there. Use sparsity_learning={other!r}, or leave it out."
        )
    return tuple(found)


def moved(
    groups: Sequence[LassoGroup], counted: Sequence[Any], variables: Sequence[Any]
) -> tuple[LassoGroup, ...]:
    """Returns groups that count by other variables.

    Args:
        groups: groups whose pieces count by `counted`.
        counted: variables.
        variables: the variables to count by.

    Raises:
        ConfigError: a variable that is pulled is not among them.
    """
    places = {id(variable): index for index, variable in enumerate(variables)}
    missing = [piece for group in groups for piece in group.pieces if id(counted[piece.index]) not in places]
    if missing:
        raise ConfigError(
            f"{len(missing)} weights that sparsity learning pulls, such as "
            f"{counted[missing[0].index].path!r}, are not among the variables to train. Unfreeze their "
            "layers, or exclude their groups."
        )
    return tuple(
        LassoGroup(
            group.size,
            tuple(dataclasses.replace(p, index=places[id(counted[p.index])]) for p in group.pieces),
        )
        for group in groups
    )


def _pulled(member: Member, kind: str) -> bool:
    """Tells whether a weight is one that this kind of sparsity learning pulls."""
    name = member.weight.rsplit("/", 1)[-1]
    if kind == "bn":
        return member.role == "scale" and name == "gamma"
    return member.role in ("out", "in") and "bias" not in name and len(member.variable.shape) > 1
