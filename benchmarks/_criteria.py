"""Criteria of channel pruning: what is trained, where finished points are kept, what is made of them.

A point is one model of one seed, pruned by one criterion and fine-tuned. All points of a seed go on from the
same model, on the same images in the same order, so they are compared seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _results import half_width

__all__ = ["FULL", "QUICK", "TITLES", "Plan", "Point", "Settings", "path_of", "points_of", "summaries"]

TITLES = {
    "control": "not pruned",
    "l1": "L1 norm",
    "l2": "L2 norm",
    "bn_scale": "scale of batch normalisation",
    "taylor": "first-order Taylor",
    "fpgm": "geometric median",
    "random": "random",
}
"""The criteria by their names in `trimtab.prune_channels`, and the control."""


@dataclass(frozen=True)
class Settings:
    """How each model is trained and pruned.

    Args:
        data: name of the data set.
        images: training images, drawn anew for each seed; None: all.
        validation: images that choose the epoch; None: all.
        depth: of the residual network.
        width: channels of its first stage.
        before: epochs of the model that all points of a seed begin from.
        epochs: of fine-tuning, and of the control.
        batch: images in a step.
        macs: what is left of the multiply-accumulates.
        shift: pixels by which augmentation moves an image; it mirrors half of them too. 0: neither.
    """

    data: str = "cifar10"
    images: int | None = 10_000
    validation: int | None = 5_000
    depth: int = 8
    width: int = 16
    before: int = 16
    epochs: int = 4
    batch: int = 128
    macs: str = "50%"
    shift: int = 4


@dataclass(frozen=True)
class Plan:
    """What is compared: criteria, rankings, and how."""

    criteria: tuple[str, ...]
    rankings: tuple[str, ...]
    settings: Settings


FULL = Plan(tuple(name for name in TITLES if name != "control"), ("group", "global"), Settings())
QUICK = Plan(
    ("l2", "random"),
    ("global",),
    Settings("digits", None, None, width=8, before=2, epochs=1, batch=64, shift=0),
)


@dataclass(frozen=True)
class Point:
    """One model.

    Args:
        seed: of the images, the first weights and the training.
        criterion: a key of `TITLES`, or "before" for the model that all begin from.
        ranking: whom a channel is compared with: "group" or "global"; empty where nothing is pruned.
    """

    seed: int
    criterion: str
    ranking: str = ""


def points_of(plan: Plan, seeds: int) -> list[Point]:
    """Lists every point but the models to begin from, seed by seed: an early stop leaves whole seeds."""
    return [
        point
        for seed in range(seeds)
        for point in (
            Point(seed, "control"),
            *(Point(seed, name, ranking) for ranking in plan.rankings for name in plan.criteria),
        )
    ]


def path_of(folder: Path, point: Point) -> Path:
    """Returns where a finished point is kept."""
    return folder / f"seed-{point.seed}" / f"{point.criterion}{point.ranking and '-'}{point.ranking}.json"


def summaries(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Summarises each criterion over its seeds, in percent and percentage points.

    Differences are taken seed by seed: from random pruning in the same ranking, and from the control.

    Args:
        found: the points with their results.
    """
    places = dict.fromkeys((str(point["ranking"]), str(point["criterion"])) for point in found)
    taken = {
        place: sorted(
            (point for point in found if (point["ranking"], point["criterion"]) == place),
            key=lambda point: int(point["seed"]),
        )
        for place in places
    }
    made = []
    for (ranking, criterion), points in taken.items():
        random = taken[ranking, "random"] if ranking and criterion != "random" else None
        made.append(
            {
                "ranking": ranking,
                "criterion": criterion,
                "accuracies": [100 * float(point["accuracy"]) for point in points],
                "accuracy": _mean(points, "accuracy"),
                "raw": _mean(points, "raw"),
                "macs": float(np.mean([point["macs"] for point in points])),
                "parameters": float(np.mean([point["parameters"] for point in points])),
                "from_random": None if random is None else _difference(points, random),
                "from_control": _difference(points, taken["", "control"]),
            }
        )
    return made


def _mean(points: Sequence[Mapping[str, Any]], key: str) -> float:
    return 100 * float(np.mean([point[key] for point in points]))


def _difference(
    points: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """Returns the mean difference over the seeds, with its 95 % interval (Student's t) if that is known."""
    gaps = [
        100 * (float(point["accuracy"]) - float(other["accuracy"]))
        for point, other in zip(points, others, strict=True)
    ]
    value, half = float(np.mean(gaps)), half_width(gaps)
    return {
        "value": value,
        "low": None if half is None else value - half,
        "high": None if half is None else value + half,
    }
