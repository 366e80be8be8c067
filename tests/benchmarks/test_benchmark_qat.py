"""Quantization-aware training beside no training: what is chosen, and what is made of the files' answers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import _qat_parity_point
import _qat_plan
import _qat_results
import _qat_tfmot_point
import _results
import qat_parity
import qat_vs_ptq
from _qat_plan import FILES, Point, Settings

_SETTINGS = Settings(_qat_plan.FULL.nets, ("fashion_mnist",))


def _right(*percent: float) -> np.ndarray:
    """Makes seeds that got so many of 1000 images right."""
    return np.stack([np.arange(1000) < 10 * share for share in percent])


def _correct(**percent: tuple[float, float, float]) -> dict[tuple[str, str, str, str], np.ndarray]:
    found = {
        ("cnn", "fashion_mnist", role, name): _right(80, 82, 84) for role in FILES for name in FILES[role]
    }
    for key, shares in percent.items():
        role, name = key.split("_")
        found["cnn", "fashion_mnist", role, name] = _right(*shares)
    return found


def test_differences_are_taken_seed_by_seed() -> None:
    correct = _correct(aware8_int8=(81, 83, 85), aware4_int4=(79, 81, 83))
    rows = {(row.group, row.name): row for row in _qat_results.accuracy_rows(correct, _SETTINGS)}
    group = "CNN with batch normalisation, fashion_mnist"
    assert rows[group, "quantize_aware, 8 bits, int8 file"].value == pytest.approx(83)
    ahead = rows[group, "8 bits: quantize_aware less TFMOT"]
    assert (ahead.value, ahead.low, ahead.high) == pytest.approx((1, 1, 1))
    four = rows[group, "4 bits: quantize_aware less the float model"]
    assert four.value == pytest.approx(-1)
    assert four.target is not None
    assert four.target.limit == -0.3
    assert any("missed on CNN" in sentence for sentence in _qat_results.told(correct, _SETTINGS))


def test_behind_tfmot_counts_only_beyond_the_interval() -> None:
    name = "nets behind TFMOT by more than the interval, of 1"
    for shares, behind in (((79, 81.5, 84.5), 0), ((79, 81.1, 83), 1)):
        rows = {row.name: row for row in _qat_results.accuracy_rows(_correct(aware8_int8=shares), _SETTINGS)}
        assert rows[name].value == behind, shares


def test_the_rate_is_chosen_by_validation() -> None:
    kind = Point("cnn", "fashion_mnist", 0, "aware8")
    tried = [
        {**vars(kind), "rate": rate, "validation": value}
        for rate, value in ((1e-3, 0.8), (3e-4, 0.8), (1e-4, 0.7))
    ]
    others: list[dict[str, Any]] = [{**tried[0], "role": "tfmot", "validation": 1.0}]
    assert qat_vs_ptq.chosen(kind, [*tried, *others]) == 3e-4


def test_the_peer_builds_the_same_net() -> None:
    """Keras 3 stands in for tf_keras: layers go by their names, and answers are compared."""
    import keras

    from trimtab import zoo

    for net in _qat_plan.FULL.nets.values():
        model = zoo.build(net.name, (28, 28, 1), 10, **net.options)
        weights = {
            f"weights/{layer.name}/{index}": array
            for layer in model.layers
            for index, array in enumerate(layer.get_weights())
        }
        probed = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
        found = {
            "architecture": np.array(model.to_json()),
            "probed": probed,
            "answers": model.predict_on_batch(probed),
            **weights,
        }
        assert _qat_tfmot_point.rebuilt(keras, found).count_params() == model.count_params()
    with pytest.raises(ValueError, match="answers otherwise"):
        _qat_tfmot_point.rebuilt(keras, {**found, "answers": found["answers"] + 1})


def test_settings_go_through_json_and_every_point_has_a_place(tmp_path: Path) -> None:
    plain = json.loads(json.dumps(dataclasses.asdict(_qat_plan.FULL)))
    assert _qat_plan.read_settings(plain) == _qat_plan.FULL
    points = [Point("cnn", "a", 0, role, rate) for role in FILES for rate in (1e-3, 3e-4)]
    assert len({_qat_plan.path_of(tmp_path, point) for point in points}) == len(points)


def test_parity_is_promised_of_files_without_float_tensors() -> None:
    net = _qat_parity_point.FULL.nets["resnet"]
    found = {"same": 9_960, "images": 10_000, "largest": 3, "float_tensors": 1}
    rows = {row.name: dataclasses.asdict(row) for row in qat_parity.rows_of(net, {"8": found})}
    same = rows["same class, 8-bit weights"]
    assert same["low"] < same["value"] < same["high"]
    assert _results.verdict(same) == "no (the interval holds the limit)"
    assert _results.verdict(rows["float tensors, 8-bit weights"]) == "no"
    assert rows["largest difference, 8-bit weights"]["value"] == 3
