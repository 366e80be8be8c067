"""What goes together: single weights, blocks of them, or N of each M.

A granularity turns the scores of single weights into the scores of the units that are ranked, and the
choice of units back into a mask. Kernels are read as Keras stores them: the last two axes of a `Dense` or
convolution kernel are (inputs, outputs), the axes before them are positions in the image.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras

from trimtab.pruning._configured import Configured
from trimtab.pruning.criteria._threshold import kept_of

__all__ = ["Granularity", "Unstructured", "fewest_zeros"]


@dataclasses.dataclass(frozen=True)
class Granularity(Configured, abc.ABC):
    """What is pruned together; a unit is the smallest part that goes or stays as a whole.

    A granularity is data: a frozen dataclass of plain values. Its methods are made of `keras.ops` and
    of shapes, so that they work in compiled training steps. `trimtab.testing.check_granularity` says
    whether one of your own does what is needed.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Short name, such as ``"unstructured"``, ``"4x1"``, ``"2:4"``."""

    @property
    def pattern_from(self) -> float | None:
        """The sparsity from which on a fixed pattern is complete; None where there is no such pattern.

        From there on each unit goes whose pooled score is finite, or does not tie with the best.
        """
        return None

    def refuses(self, shape: Sequence[int], axis: int | None) -> str | None:  # noqa: ARG002
        """Says why it cannot be used on a weight, in plain words; None if it can.

        Args:
            shape: shape of the weight.
            axis: axis of the input channels; None: the weight has none (a depthwise kernel).
        """
        return None

    @abc.abstractmethod
    def units(self, shape: Sequence[int], axis: int | None) -> int:
        """Returns how many units of a weight are ranked."""

    @abc.abstractmethod
    def pool(self, scores: Any, axis: int | None) -> Any:
        """Returns the score of each unit.

        Args:
            scores: score of each single weight, 0 or more, of the weight's shape; the larger stays.
            axis: axis of the input channels, or None.

        Returns:
            Scores, 0 or more; infinity: never goes.
        """

    @abc.abstractmethod
    def spread(self, kept: Any, shape: Sequence[int], axis: int | None) -> Any:
        """Returns which weights stay, of `shape`, from which units stay (both boolean)."""

    @abc.abstractmethod
    def unit_sizes(self, shape: Sequence[int], axis: int | None) -> dict[int, int]:
        """Returns how many units may go, by the number of weights in each: ``{weights: units}``."""

    def zeros(self, shape: Sequence[int], axis: int | None, sparsity: float) -> int:
        """Returns the fewest zeros that pruning one weight to `sparsity` makes where nothing ties."""
        units = self.units(shape, axis)
        gone = units - kept_of(units, sparsity)
        if self.pattern_from is not None and sparsity >= self.pattern_from - 1e-6:
            gone = units - 1
        return fewest_zeros(self.unit_sizes(shape, axis), gone)

    def limit(self, shape: Sequence[int], axis: int | None) -> float:
        """Returns the largest share of zeros it can make in a weight; at least one unit stays."""
        size = math.prod(shape)
        sizes = self.unit_sizes(shape, axis)
        free = sum(weights * units for weights, units in sizes.items())
        return (free - (min(sizes) if free == size else 0)) / size


def fewest_zeros(sizes: dict[int, int], units: int) -> int:
    """Returns how many weights `units` units hold at least, taking the small ones first."""
    zeros = 0
    for weights in sorted(sizes):
        taken = min(units, sizes[weights])
        zeros, units = zeros + taken * weights, units - taken
    return zeros


@keras.saving.register_keras_serializable(package="trimtab")
@dataclasses.dataclass(frozen=True)
class Unstructured(Granularity):
    """Each weight by itself: the most accurate, and no faster at inference on common hardware."""

    @property
    def name(self) -> str:
        """``"unstructured"``."""
        return "unstructured"

    def units(self, shape: Sequence[int], axis: int | None) -> int:  # noqa: ARG002
        """Returns the number of weights."""
        return math.prod(shape)

    def pool(self, scores: Any, axis: int | None) -> Any:  # noqa: ARG002
        """Returns the scores as they are."""
        return scores

    def spread(self, kept: Any, shape: Sequence[int], axis: int | None) -> Any:  # noqa: ARG002
        """Returns the choice as it is."""
        return kept

    def unit_sizes(self, shape: Sequence[int], axis: int | None) -> dict[int, int]:  # noqa: ARG002
        """Returns that each unit is one weight."""
        return {1: math.prod(shape)}
