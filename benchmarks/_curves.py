"""Accuracy against sparsity: what is trained, where finished points are kept, what makes a curve.

A point is one pruned model of one data set and one seed. Points of a seed share the model that they begin
from, so they are compared with that seed's control: the same training on from there, without pruning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _results import half_width

__all__ = [
    "FULL",
    "QUICK",
    "SERIES",
    "Plan",
    "Point",
    "Series",
    "Settings",
    "curves",
    "path_of",
    "points_of",
]

_NM = ("2:4", "1:4", "1:8", "1:16")


@dataclass(frozen=True)
class Series:
    """One line of a picture.

    Args:
        key: short name, for files.
        label: name in tables and pictures.
        granularity: of the criterion; "N:M" stands for several patterns, each at its own sparsity.
        importance: of the criterion.
        ranking: of the criterion.
    """

    key: str
    label: str
    granularity: str = "unstructured"
    importance: str = "magnitude"
    ranking: str = "layer"


SERIES = (
    Series("unstructured", "single weights"),
    Series("unstructured-global", "single weights, all layers together", ranking="global"),
    Series("4x1", "4x1 blocks", "4x1"),
    Series("4x1-global", "4x1 blocks, all layers together", "4x1", ranking="global"),
    Series("4x4", "4x4 blocks", "4x4"),
    Series("4x4-global", "4x4 blocks, all layers together", "4x4", ranking="global"),
    Series("nm", "N:M", "N:M"),
    Series("taylor", "Taylor", importance="taylor"),
    Series("taylor-global", "Taylor, all layers together", importance="taylor", ranking="global"),
    Series("random", "random", importance="random"),
)
"""The lines. Where nothing else is said, single weights go by magnitude, in each layer by itself."""


@dataclass(frozen=True)
class Settings:
    """How each net is trained.

    Args:
        images: training images, drawn anew for each seed; None: all.
        validation: images that choose the epoch; None: all.
        filters: of the net.
        dense: units of its hidden layer.
        before: epochs of the model that all points of a seed begin from.
        epochs: of each pruning, and of the control.
        batch: images in a step.
    """

    images: int | None = 16_000
    validation: int | None = 2_000
    filters: tuple[int, ...] = (16, 32)
    dense: int = 64
    before: int = 8
    epochs: int = 4
    batch: int = 128


@dataclass(frozen=True)
class Plan:
    """What is trained: data sets, lines, how sparse, and how."""

    data: tuple[str, ...]
    series: tuple[str, ...]
    sparsities: tuple[float, ...]
    patterns: tuple[str, ...]
    settings: Settings


FULL = Plan(
    ("mnist", "fashion_mnist"),
    tuple(series.key for series in SERIES),
    (0.5, 0.75, 0.9, 0.95, 0.98),
    _NM,
    Settings(),
)
QUICK = Plan(
    ("digits",),
    ("unstructured", "unstructured-global", "4x1", "nm", "taylor", "random"),
    (0.9,),
    _NM[:1],
    Settings(images=None, validation=None, filters=(8, 16), dense=16, before=6, epochs=2, batch=32),
)


@dataclass(frozen=True)
class Point:
    """One model.

    Args:
        data: name of the data set.
        seed: of the images, the first weights and the training.
        series: key of its line; "before" for the model that all begin from, "control" for the one that
            is trained on without pruning.
        granularity: a name, such as "unstructured" or "2:4".
        importance: a name.
        ranking: a name.
        sparsity: asked for; None: that of the pattern.
    """

    data: str
    seed: int
    series: str
    granularity: str = "unstructured"
    importance: str = "magnitude"
    ranking: str = "layer"
    sparsity: float | None = 0.0


def points_of(plan: Plan, seeds: int) -> list[Point]:
    """Lists every point but the models to begin from, seed by seed: an early stop leaves whole seeds."""
    listed = []
    for seed in range(seeds):
        for data in plan.data:
            listed.append(Point(data, seed, "control"))
            for series in (line for line in SERIES if line.key in plan.series):
                how = (series.importance, series.ranking)
                if series.granularity == "N:M":
                    listed += [Point(data, seed, series.key, name, *how, None) for name in plan.patterns]
                else:
                    listed += [
                        Point(data, seed, series.key, series.granularity, *how, sparsity)
                        for sparsity in plan.sparsities
                    ]
    return listed


def path_of(folder: Path, point: Point) -> Path:
    """Returns where a finished point is kept."""
    how = point.granularity.replace(":", "of") if point.sparsity is None else f"{point.sparsity:g}"
    return folder / f"{point.data}-{point.seed}" / f"{point.series}-{how}.json"


def curves(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Makes the curves from the finished points.

    The mean over the seeds stands beside a 95 % interval (Student's t) of the difference from each seed's
    control, drawn around the controls' mean: what the seeds have in common does not widen it.

    Args:
        found: the points with their results.

    Returns:
        For each data set and line: its points by rising sparsity, the control first, each with sparsity,
        accuracy, low, high and the single accuracies (shares).
    """
    made: list[dict[str, Any]] = []
    for data in dict.fromkeys(str(point["data"]) for point in found):
        here = [point for point in found if point["data"] == data]
        controls = {point["seed"]: point["accuracy"] for point in here if point["series"] == "control"}
        start = _summary([p for p in here if p["series"] == "control"], controls)
        for series in SERIES:
            mine = [point for point in here if point["series"] == series.key]
            places = dict.fromkeys((point["granularity"], point["asked"]) for point in mine)
            if mine:
                points = [
                    _summary([p for p in mine if (p["granularity"], p["asked"]) == place], controls)
                    for place in places
                ]
                points.sort(key=lambda point: float(point["sparsity"]))
                made.append(
                    {"data": data, "series": series.key, "label": series.label, "points": [start, *points]}
                )
    return made


def _summary(seeds: Sequence[Mapping[str, Any]], controls: Mapping[int, float]) -> dict[str, Any]:
    """Summarises one point over its seeds."""
    seeds = sorted(seeds, key=lambda point: int(point["seed"]))
    accuracies = np.array([point["accuracy"] for point in seeds])
    gaps = accuracies - np.array([controls[point["seed"]] for point in seeds])
    middle, half = float(accuracies.mean()), half_width(gaps)
    return {
        "name": seeds[0]["granularity"] if seeds[0]["asked"] is None else "",
        "asked": seeds[0]["asked"],
        "sparsity": float(np.mean([point["sparsity"] for point in seeds])),
        "accuracy": middle,
        "low": None if half is None else max(middle - half, 0.0),
        "high": None if half is None else min(middle + half, 1.0),
        "accuracies": [float(accuracy) for accuracy in accuracies],
        "gap": float(gaps.mean()),
    }
