"""The comparison with TFMOT: what is compared, and that differences are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import _nets
import _parity
import tfmot_parity

_CASES: dict[str, list[dict[str, Any]]] = {
    "masks": [
        {"group": "single weights", "seed": 0, "shape": [4], "dtype": "float32", "values": "normal"},
        {"group": "N:M", "seed": 1, "shape": [4, 2], "dtype": "float32", "values": "grid", "zeros": [2, 4]},
    ],
    "schedules": [{"kind": "constant", "steps": 3}],
    "trainings": [
        {"net": "mlp", "optimizer": "adam", "pruning": None},
        {"net": "mlp", "optimizer": "adam", "pruning": {"schedule": {"kind": "once"}, "zeros": [2, 4]}},
    ],
}


def _found() -> dict[str, Any]:
    found: dict[str, Any] = {
        "due/0": np.array([True, False, True]),
        "sparsity/0": np.float32([0.5, 0.5, 0.5]),
    }
    for index in (0, 1):
        found[f"digest/{index}"] = np.array(index)
        found[f"mask/{index}"] = np.array([170], np.uint8)
        found[f"trained/{index}/0"] = np.float32([1.0, -2.0])
        found[f"moving/{index}/0"] = np.float32([100.0])
    return found


def _missed(ours: dict[str, Any], backend: str = "TensorFlow") -> list[str]:
    rows = tfmot_parity.compare(_CASES, ours, _found(), "TFMOT", backend)
    return [row.name for row in rows if row.target is not None and row.value > row.target.limit]


def test_nothing_differs() -> None:
    rows = tfmot_parity.compare(_CASES, _found(), _found(), "TFMOT")
    assert _missed(_found()) == []
    assert rows[0].name == "masks that differ, of 2"
    assert rows[0].note == "single weights: 0 of 1; N:M: 0 of 1"
    assert {row.unit for row in rows[-2:]} == {"(bit for bit the same)"}


@pytest.mark.parametrize(
    ("key", "value", "missed"),
    [
        ("mask/1", np.array([171], np.uint8), "masks that differ, of 2"),
        ("due/0", np.array([True, True, True]), "an update on one side only"),
        ("sparsity/0", np.float32([0.5, 0.5, np.nextafter(np.float32(0.5), np.float32(1))]), "sparsities"),
        ("trained/1/0", np.float32([1.0, -2.0000002]), "further apart than without pruning"),
        ("moving/1/0", np.float32([100.1]), "further apart than without pruning"),
    ],
)
def test_what_differs_is_seen(key: str, value: Any, missed: str) -> None:
    (name,) = _missed({**_found(), key: value})
    assert missed in name


def test_what_plain_training_does_too_is_no_fault() -> None:
    apart = np.float32([1.0, -2.1])
    assert _missed({**_found(), "trained/0/0": apart, "trained/1/0": apart}) == []
    assert _missed({**_found(), "moving/1/0": np.float32([100.02])}) == []  # n / (n - 1)


def test_other_backends_may_round_a_power_otherwise() -> None:
    nearly = np.float32([0.5, 0.5, np.nextafter(np.float32(0.5), np.float32(1))])
    assert _missed({**_found(), "sparsity/0": nearly}, backend="JAX") == []
    assert len(_missed({**_found(), "sparsity/0": nearly + np.float32(1e-6)}, backend="JAX")) == 1


def test_two_sides_with_other_tensors_are_not_compared() -> None:
    with pytest.raises(SystemExit, match="different tensors"):
        tfmot_parity.compare(_CASES, {**_found(), "digest/1": np.array(7)}, _found(), "TFMOT")
    with pytest.raises(SystemExit, match="other weights"):
        tfmot_parity.compare(_CASES, {**_found(), "trained/1/1": np.zeros(1)}, _found(), "TFMOT")


def test_the_tensors_are_the_same_each_time_and_full_of_ties() -> None:
    cases = _parity.mask_cases(quick=False)
    assert len({case["seed"] for case in cases}) == len(cases) > 1000
    assert {case["group"] for case in cases} == {"single weights", "blocks, average", "blocks, max", "N:M"}
    tied = 0
    for case in cases[::50]:
        made = _parity.values(case)
        assert made.dtype == case["dtype"]
        assert list(made.shape) == case["shape"]
        assert _parity.digest(made) == _parity.digest(_parity.values(case))
        tied += len(np.unique(np.abs(made))) < made.size
    assert tied > 10


def test_blocks_divide_their_shapes() -> None:
    for case in _parity.mask_cases(quick=False):
        if "block" in case:
            blocks = [size // part for size, part in zip(case["shape"], case["block"], strict=True)]
            assert [count * part for count, part in zip(blocks, case["block"], strict=True)] == case["shape"]
            assert min(blocks) > 1


def test_schedules_reach_their_end_in_whole_periods() -> None:
    for case in _parity.schedule_cases(quick=False):
        assert case["end"] < 0 or (case["end"] - case["begin"]) % case["frequency"] == 0


@pytest.mark.parametrize("quick", [True, False])
def test_each_training_has_its_control_and_ends_between_updates(quick: bool) -> None:
    controls = set()
    for case in _parity.training_cases(quick):
        if case["pruning"] is None:
            controls.add((case["net"], case["optimizer"]))
            continue
        assert (case["net"], case["optimizer"]) in controls
        schedule = case["pruning"]["schedule"]
        if schedule["kind"] == "once":
            continue
        last = schedule["end"] if schedule["end"] > 0 else case["steps"] * case["epochs"] + 1
        due = set(range(schedule["begin"], last + 1, schedule["frequency"]))
        assert schedule["end"] < 0 or schedule["end"] in due
        assert not due & {case["steps"] * epoch + 1 for epoch in range(1, case["epochs"] + 1)}


def _share(schedule: dict[str, Any], step: int) -> float:
    """The share of weights that stay, in exact numbers."""
    if schedule["kind"] == "constant":
        return 1 - float(schedule["sparsity"])
    passed = min(max((step - schedule["begin"]) / (schedule["end"] - schedule["begin"]), 0), 1)
    span = schedule["initial"] - schedule["final"]
    return 1 - (span * (1 - passed) ** schedule["power"] + schedule["final"])


def _to_half(units: int, share: float) -> float:
    return abs(units * share % 1 - 0.5)


def test_no_training_comes_to_a_step_where_half_a_weight_would_stay() -> None:
    import keras

    half = _parity.HALF
    assert _to_half(576, _share(half, half["step"])) < 1e-9  # so the check below can fail
    for case in _parity.training_cases(quick=False):
        pruning = case["pruning"]
        if pruning is None or pruning["schedule"]["kind"] == "once":
            continue
        schedule = pruning["schedule"]
        last = schedule["end"] if schedule["end"] > 0 else case["steps"] * case["epochs"]
        steps = range(max(schedule["begin"], 1), last + 1)
        due = [step for step in steps if (step - schedule["begin"]) % schedule["frequency"] == 0]
        height, width = pruning.get("block") or (1, 1)
        for weight in _nets.build(keras, case["net"], 0.25).trainable_weights:
            if len(weight.shape) > 1:
                units = int(np.prod(weight.shape)) // (height * width)
                assert min(_to_half(units, _share(schedule, step)) for step in due) > 1e-4, (case, units)


def test_enough_trainings() -> None:
    assert sum(case["pruning"] is not None for case in _parity.training_cases(quick=False)) >= 9
