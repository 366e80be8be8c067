"""Criteria of channel pruning and distillation: what is trained, and what is made of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import _criteria
import _distillation_point
import _points
import criteria
import distillation


def _found(accuracies: dict[tuple[str, str], list[float]]) -> list[dict[str, Any]]:
    return [
        {
            "seed": seed, "criterion": criterion, "ranking": ranking, "accuracy": accuracy, "raw": 0.5,
            "macs": 1e6, "parameters": 1000,
        }
        for (criterion, ranking), single in accuracies.items()
        for seed, accuracy in enumerate(single)
    ]  # fmt: skip


_FOUND = {
    ("control", ""): [0.90, 0.94, 0.98],
    ("l2", "group"): [
        0.87,
        0.91,
        0.95,
    ],  # 0.02 more than random each time: the seeds differ, the gain does not
    ("fpgm", "group"): [0.84, 0.90, 0.93],
    ("random", "group"): [0.85, 0.89, 0.93],
}


def test_each_point_has_a_file_of_its_own() -> None:
    points = _criteria.points_of(_criteria.FULL, 3)
    starts = [_criteria.Point(seed, "before") for seed in range(3)]
    paths = [_criteria.path_of(Path("kept"), point) for point in (*points, *starts)]
    assert len(set(paths)) == len(paths) == 3 * (2 * 6 + 2)
    assert {point.criterion for point in points} == set(_criteria.TITLES)
    first = [point.seed for point in points]
    assert first == sorted(first)  # an early stop leaves whole seeds
    roles = [_distillation_point.Point(seed, role) for seed in (0, 1) for role in _distillation_point.TITLES]
    assert len({_distillation_point.path_of(Path("kept"), point) for point in roles}) == 6


def test_the_criteria_are_those_of_the_library() -> None:
    from trimtab.channel_pruning import channel_importance

    for name in _criteria.FULL.criteria:
        assert channel_importance(name) is not None


def test_differences_from_random_are_taken_seed_by_seed() -> None:
    made = {one["criterion"]: one for one in _criteria.summaries(_found(_FOUND))}
    l2 = made["l2"]["from_random"]
    assert l2["value"] == pytest.approx(2)
    assert l2["high"] - l2["low"] == pytest.approx(0, abs=1e-9)
    gaps = np.array([-1.0, 1.0, 0.0])
    fpgm = made["fpgm"]["from_random"]
    assert fpgm["value"] == pytest.approx(0)
    assert fpgm["high"] == pytest.approx(4.30265 * gaps.std(ddof=1) / np.sqrt(3), rel=1e-4)
    assert made["random"]["from_random"] is None
    assert made["control"]["from_random"] is None
    assert made["random"]["from_control"]["value"] == pytest.approx(-5)
    assert made["l2"]["accuracy"] == pytest.approx(91)


def test_it_is_said_plainly_whether_random_loses() -> None:
    (sentence,) = criteria.told(_criteria.summaries(_found(_FOUND)))
    assert "random does not lose to geometric median" in sentence
    assert "above zero for 1 of 2" in sentence
    better = {key: value for key, value in _FOUND.items() if key[0] != "fpgm"}
    (sentence,) = criteria.told(_criteria.summaries(_found(better)))
    assert "random loses to every criterion" in sentence


def test_a_row_has_the_interval_of_the_difference_around_its_own_mean() -> None:
    rows = {row.name: row for row in criteria._rows(_criteria.summaries(_found(_FOUND)))}
    assert list(rows) == [
        "not pruned", "L2 norm", "geometric median", "random", "criteria ahead of random, of 2"
    ]  # fmt: skip
    row = rows["geometric median"]
    assert row.low is not None
    assert row.high is not None
    assert row.value == pytest.approx((row.low + row.high) / 2) == pytest.approx(89)
    assert rows["random"].low is None
    assert rows["criteria ahead of random, of 2"].value == 1


def test_one_seed_has_no_interval() -> None:
    single = {key: value[:1] for key, value in _FOUND.items()}
    rows = criteria._rows(_criteria.summaries(_found(single)))
    assert [row.low for row in rows] == [None] * 5
    assert "above zero for 0 of 2" in criteria.told(_criteria.summaries(_found(single)))[0]


def test_the_students_gain_has_an_interval() -> None:
    found = [
        {"seed": seed, "role": role, "accuracy": accuracy + seed / 100, "parameters": 5}
        for role, accuracy in (("teacher", 0.8), ("alone", 0.6), ("taught", 0.63))
        for seed in (0, 1, 2)
    ]
    (*_, taught) = distillation._table(found)["rows"]
    assert taught[2] == "64.00"
    assert taught[-1] == "+3.00 [+3.00, +3.00]"
    (*_, taught) = distillation._table([one for one in found if one["seed"] == 0])["rows"]
    assert taught[-1] == "+3.00"


def test_other_settings_are_kept_elsewhere() -> None:
    settings = _criteria.FULL.settings
    assert _points.digest(dataclasses.replace(settings, epochs=6)) != _points.digest(settings)
