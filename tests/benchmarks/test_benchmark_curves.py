"""Accuracy against sparsity: the list of points, where they are kept, what makes a curve, the pictures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import _curve_pictures
import _curves
import _points
import sparsity_curves


def _found(accuracies: dict[tuple[str, float], list[float]]) -> list[dict[str, Any]]:
    return [
        {
            "data": "digits", "seed": seed, "series": series, "granularity": "unstructured", "asked": asked,
            "sparsity": asked, "accuracy": accuracy,
        }
        for (series, asked), single in accuracies.items()
        for seed, accuracy in enumerate(single)
    ]  # fmt: skip


def test_each_point_has_a_file_of_its_own() -> None:
    points = _curves.points_of(_curves.FULL, 3)
    starts = [_curves.Point(data, seed, "before") for data in _curves.FULL.data for seed in range(3)]
    paths = [_curves.path_of(Path("kept"), point) for point in (*points, *starts)]
    assert len(set(paths)) == len(paths)
    assert {point.series for point in points} == {"control", *(series.key for series in _curves.SERIES)}
    assert {point.sparsity for point in points if point.series == "4x4"} == {0.5, 0.75, 0.9, 0.95, 0.98}
    assert {point.granularity for point in points if point.series == "nm"} == {"2:4", "1:4", "1:8", "1:16"}


def test_other_settings_are_kept_elsewhere() -> None:
    other = dataclasses.replace(_curves.FULL.settings, epochs=5)
    assert _points.digest(other) != _points.digest(_curves.FULL.settings)


def test_intervals_are_of_the_difference_from_each_seeds_control() -> None:
    found = _found({
        ("control", 0.0): [0.90, 0.94, 0.98],
        ("unstructured", 0.9): [0.89, 0.93, 0.97],  # 0.01 less each time: the seeds differ, the loss does not
        ("unstructured", 0.5): [0.91, 0.95, 0.96],
    })  # fmt: skip
    (curve,) = _curves.curves(found)
    start, half, most = curve["points"]
    assert start["accuracy"] == pytest.approx(0.94)
    assert start["low"] == start["high"] == start["accuracy"]
    assert most["gap"] == pytest.approx(-0.01)
    assert most["high"] - most["low"] == pytest.approx(0, abs=1e-9)
    gaps = np.array([0.01, 0.01, -0.02])
    assert half["accuracy"] == pytest.approx(0.94)
    assert half["high"] - half["accuracy"] == pytest.approx(4.30265 * gaps.std(ddof=1) / np.sqrt(3), rel=1e-4)
    assert half["accuracies"] == [0.91, 0.95, 0.96]


def test_one_seed_has_no_interval() -> None:
    (curve,) = _curves.curves(_found({("control", 0.0): [0.9], ("random", 0.9): [0.5]}))
    assert [point["low"] for point in curve["points"]] == [None, None]
    assert sparsity_curves._rows([curve])[-1].low is None


def test_pictures_show_every_series_and_are_the_same_each_time(tmp_path: Path) -> None:
    shown = {line.series for picture in _curve_pictures.PICTURES for line in picture.lines}
    assert shown == {series.key for series in _curves.SERIES}
    found = _found({
        ("control", 0.0): [0.98, 0.97],
        **{(series.key, share): [0.97 - share / 5, 0.96 - share / 5]
           for series in _curves.SERIES for share in (0.5, 0.9, 0.98)},
        ("random", 0.98): [0.1, 0.11],
    })  # fmt: skip
    record = json.loads(json.dumps({"curves": _curves.curves(found)}))
    first = _curve_pictures.draw(record, tmp_path / "first")
    second = _curve_pictures.draw(record, tmp_path / "second")
    assert [path.name for path in first] == ["granularity.png", "ranking.png", "importance.png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_finished_points_are_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = dataclasses.replace(_curves.QUICK, series=("unstructured",))
    asked: list[_curves.Point] = []

    def train(trainer: _points.Trainer, todo: list[_curves.Point], idle: object) -> None:
        assert idle == "nobody"
        asked.extend(todo)
        for point in todo:
            path = trainer.path_of(trainer.folder, point)
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({"series": point.series}))

    monkeypatch.setattr(_points.Trainer, "_train", train)
    monkeypatch.setattr(_points, "_crew", lambda *_: "nobody")
    first = sparsity_curves.finished(plan, 2, tmp_path)
    assert [point.series for point in asked] == ["before"] * 2 + ["control", "unstructured"] * 2
    gone = _curves.path_of(tmp_path, asked[-1])
    gone.unlink()
    last = asked[-1]
    asked.clear()
    assert sparsity_curves.finished(plan, 2, tmp_path) == first
    assert asked == [last]
    monkeypatch.setattr(_points, "_crew", lambda *_: pytest.fail("started workers for nothing"))
    assert sparsity_curves.finished(plan, 2, tmp_path) == first
