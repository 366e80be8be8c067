"""What a search is about: images, limits, and where things lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trimtab.compression._budget import Budget
from trimtab.compression._plan import Plan

__all__ = ["Brief"]


@dataclass(frozen=True)
class Brief:
    """What a search is about.

    Args:
        budget: the limits.
        image_shape: (height, width, channels).
        classes: how many there are.
        images: how many training images there are.
        seed: decides weights, orders and proposals.
        plan: how time is spent.
        folder: of the run.
    """

    budget: Budget
    image_shape: tuple[int, int, int]
    classes: int
    images: int
    seed: int
    plan: Plan
    folder: Path

    @property
    def baseline(self) -> Path:
        """The folder of the baseline."""
        return self.folder / "baseline"

    def network_arguments(self) -> dict[str, Any]:
        """Returns what every job about a network needs to know."""
        return {"image_shape": list(self.image_shape), "classes": self.classes, "seed": self.seed}

    def training_arguments(self, data: Mapping[str, Any], batch_size: int) -> dict[str, Any]:
        """Returns what every job that trains needs to know."""
        return {**self.network_arguments(), "data": dict(data), "batch_size": batch_size}
