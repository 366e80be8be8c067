"""Units that are unlike the others matter: the distance from the geometric median."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.channel_pruning._importance import ChannelImportance, Floats, counts_as_weight
from trimtab.pruning.where._prunable import as_numpy

if TYPE_CHECKING:
    from trimtab.channels import ChannelGroup, Member

__all__ = ["FPGM"]


@dataclasses.dataclass(frozen=True)
class FPGM(ChannelImportance):
    """Units that others cannot stand in for matter: the sum of the distances to all other units.

    A unit is the vector of all weights that make its channels (in a residual stage, of several layers). The
    one nearest to the geometric median of all, which has the smallest sum of distances, goes first: what
    it does, the others do nearly as well, however large its weights are.

    Reference: He et al., "Filter Pruning via Geometric Median for Deep Convolutional Neural Networks
    Acceleration", CVPR 2019, equation 8.
    """

    @property
    def name(self) -> str:
        """``"fpgm"``."""
        return "fpgm"

    def refuses(self, group: ChannelGroup) -> str | None:
        """Refuses groups that no kernel makes."""
        return None if _made_by(group) else "no kernel makes its channels, which 'fpgm' compares"

    def score(self, group: ChannelGroup, memory: Any = None) -> Floats:  # noqa: ARG002
        """Returns the sums of Euclidean distances."""
        vectors = np.concatenate([_rows(member, group.size) for member in _made_by(group)], axis=1)
        vectors = vectors - vectors.mean(axis=0)  # smaller numbers: the differences below lose less
        squares = np.einsum("ud,ud->u", vectors, vectors)
        distances = squares[:, None] + squares[None, :] - 2 * (vectors @ vectors.T)
        np.fill_diagonal(distances, 0.0)
        total: Floats = np.sqrt(np.maximum(distances, 0.0)).sum(axis=1)
        return total


def _made_by(group: ChannelGroup) -> list[Member]:
    """Lists the kernels whose outputs are the group's channels."""
    return [member for member in group.members if member.role == "out" and counts_as_weight(member)]


def _rows(member: Member, size: int) -> Floats:
    """Returns all that a weight holds of each unit, one row each, filled up with zeros."""
    weight = np.moveaxis(as_numpy(member.variable).astype(np.float64), member.axis, 0)
    weight = weight.reshape(len(weight), -1)
    units = np.asarray(member.units)
    places = [np.flatnonzero(units == unit) for unit in range(size)]
    rows = np.zeros((size, max(map(len, places)) * weight.shape[1]))
    for unit, mine in enumerate(places):
        rows[unit, : len(mine) * weight.shape[1]] = weight[mine].ravel()
    return rows
