"""Families of networks that differ in their width alone, so that one of any size can be had."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab.compression._candidate import ZooNetwork
from trimtab.compression._facts import counted, counted_bytes

__all__ = ["FAMILIES", "Family", "Ladder", "built_counts", "families_for"]

_LARGEST = 512
_PROBED_WIDTHS = (2, 4, 8)


@dataclass(frozen=True)
class Family:
    """Networks of one kind, from narrow to wide.

    Args:
        name: such as ``"resnet-8"``.
        architecture: that of `trimtab.zoo`.
        options: gives its options at a width (any whole number from 1).
        least_side: smallest height or width of an image, in pixels.
    """

    name: str
    architecture: str
    options: Callable[[int], Mapping[str, Any]]
    least_side: int

    def network(self, width: int) -> ZooNetwork:
        """Returns the network of this width."""
        return ZooNetwork(self.architecture, tuple(self.options(width).items()))


def _plain(width: int) -> Mapping[str, Any]:
    """A plain CNN: two convolutions a stage, which cost least time to train for what they learn."""
    filters = (width, 2 * width, 3 * width)
    return {"filters": filters, "depth": 2, "dense": 0, "batch_norm": True}


def _shallow(width: int) -> Mapping[str, Any]:
    """One convolution a stage: for tiny images, and for the smallest of files."""
    return {"filters": (width, 2 * width, 4 * width), "depth": 1, "dense": 0, "batch_norm": True}


def _two_stages(width: int) -> Mapping[str, Any]:
    """Two stages with two convolutions each: for images of a few pixels."""
    return {"filters": (width, 2 * width), "depth": 2, "dense": 0, "batch_norm": True}


FAMILIES: tuple[Family, ...] = (
    Family("cnn", "cnn", _plain, 12),
    Family("cnn-shallow", "cnn", _shallow, 8),
    Family("ds-cnn", "ds_cnn", lambda width: {"filters": (2 * width, 4 * width, 6 * width), "depth": 2}, 12),
    Family("cnn-two-stages", "cnn", _two_stages, 4),
    Family("resnet-8", "resnet", lambda width: {"depth": 8, "width": width}, 8),
    Family("resnet-20", "resnet", lambda width: {"depth": 20, "width": width}, 16),
)
"""In the order in which they are tried."""


def families_for(image_shape: tuple[int, int, int]) -> tuple[Family, ...]:
    """Returns the families that images of this size are large enough for."""
    return tuple(family for family in FAMILIES if min(image_shape[:2]) >= family.least_side)


class Ladder:
    """How large the networks of a family are at each width, without building each of them.

    Kernels, channels and multiply-accumulates are polynomials of second degree in the width: three narrow
    networks tell all. What a file holds beside its weights, and how long and in how much memory it runs, is
    told by any converted one (`learn`).

    Args:
        family: the networks.
        counts: gives (kernels, channels, MACs) of a network; see `built_counts`.
    """

    def __init__(self, family: Family, counts: Callable[[ZooNetwork], tuple[float, float, float]]) -> None:
        self.family, self._counts = family, counts
        self._beside = 4000.0  # bytes of a file that are no weights
        self._ratios: dict[str, float] = {"gzip_bytes": 0.9}

    def expected(self, width: int) -> dict[str, float | None]:
        """Estimates the facts of the network of a width; None for what cannot be told yet."""
        kernels, channels, macs = self._at(width)
        size = counted_bytes(kernels, channels) + self._beside
        measures = {"latency_ms": macs, "memory_bytes": float(width), "gzip_bytes": size}
        found = {
            fact: None if (ratio := self._ratios.get(fact)) is None else ratio * measure
            for fact, measure in measures.items()
        }
        return {"bytes": size, "macs": macs, **found}

    def learn(self, network: ZooNetwork, facts: Mapping[str, Any]) -> None:
        """Takes in what a converted network really weighs and takes."""
        width = self._width_of(network)
        kernels, channels, macs = self._at(width)
        self._beside = facts["bytes"] - counted_bytes(kernels, channels)
        measures = {"latency_ms": macs, "memory_bytes": float(width), "gzip_bytes": float(facts["bytes"])}
        for fact, measure in measures.items():
            if facts.get(fact) is not None:
                self._ratios[fact] = float(facts[fact]) / measure

    def widest(self, most: Mapping[str, float]) -> int | None:
        """Returns the widest network that is expected to keep within limits; None: not even width 1 does.

        Args:
            most: by the names of facts, how much there may be. What cannot be told yet counts as kept.
        """

        def fits(width: int) -> bool:
            expected = self.expected(width)
            return all((value := expected[fact]) is None or value <= limit for fact, limit in most.items())

        if not fits(1):
            return None
        low, high = 1, _LARGEST
        while low < high:
            middle = math.ceil((low + high) / 2)
            low, high = (middle, high) if fits(middle) else (low, middle - 1)
        return low

    @functools.cached_property
    def _coefficients(self) -> npt.NDArray[np.float64]:
        """The polynomials; three networks are built when they are first asked for."""
        told = np.array([self._counts(self.family.network(width)) for width in _PROBED_WIDTHS], float)
        powers = np.vander(np.array(_PROBED_WIDTHS, float), 3)
        return np.asarray(np.linalg.solve(powers, told), np.float64)

    def _width_of(self, network: ZooNetwork) -> int:
        """Returns the width of a network of this family."""
        return next(width for width in range(1, _LARGEST + 1) if self.family.network(width) == network)

    def _at(self, width: int) -> tuple[float, float, float]:
        """Returns kernels, channels and MACs at a width."""
        kernels, channels, macs = np.array([width**2, width, 1.0]) @ self._coefficients
        return float(kernels), float(channels), float(macs)


def built_counts(image_shape: tuple[int, int, int], classes: int) -> Callable[[ZooNetwork], Any]:
    """Returns what counts kernels, channels and MACs of a network by building it."""

    def counts(network: ZooNetwork) -> tuple[float, float, float]:
        from trimtab import models, zoo

        model = zoo.build(network.architecture, image_shape, classes, **dict(network.options))
        return (*counted(model), float(models.macs(model) or 0))

    return counts
