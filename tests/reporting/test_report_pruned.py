"""What the report says of a pruning step: how far, how, where, and whether it got there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trimtab.reporting import collect
from trimtab.reporting._data import Number, ResultRow, Step
from trimtab.reporting._fields import Fields
from trimtab.reporting._pruned import pruned, rounds
from trimtab.reporting._told import told
from trimtab.reporting._verdicts import verdict


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "pruned"),
        ({"sparsity": 0.8}, "pruned to 80 % zeros"),
        ({"sparsity": 0.8, "granularity": "unstructured", "ranking": "layer"}, "pruned to 80 % zeros"),
        ({"sparsity": 0.8, "granularity": "4x1"}, "pruned to 80 % zeros (in blocks of 4×1)"),
        ({"granularity": "2:4"}, "pruned (2 of each 4 weights stay)"),
        ({"sparsity": 0.9, "ranking": "global"}, "pruned to 90 % zeros (over all layers together)"),
        (
            {"sparsity": 0.9, "importance": "taylor", "sparsity_schedule": "one-shot"},
            "pruned to 90 % zeros (ranked by weight times gradient, once, before training)",
        ),
        (
            {"sparsity": 0.9, "sparsity_schedule": "iterative", "rounds": None, "rewind": None},
            "pruned to 90 % zeros (in 5 rounds)",
        ),
        (
            {
                "sparsity": 0.9,
                "sparsity_schedule": "iterative",
                "rounds": 3,
                "rewind": "weights",
                "rewind_to": "early",
            },
            "pruned to 90 % zeros (in 3 rounds with the weights put back to those of early)",
        ),
        ({"sparsity": {"a": 0.5, "b": 0.9}}, "pruned to 50 % to 90 % zeros by layer"),
        ({"sparsity": {"a": 0.5}}, "pruned to 50 % zeros in a"),
        ({"sparsity": 0.8, "targets": "scan"}, "pruned to 80 % zeros, shared out by scan"),
        ({"sparsity": 0.8, "layers": ["a"], "types": ["Dense"]}, "pruned to 80 % zeros in a, each Dense"),
        ({"sparsity": 0.8, "policy": "xnnpack"}, "pruned to 80 % zeros where XNNPACK can use it"),
        (
            {"sparsity": 0.8, "skip_ends": True, "exclude": ["c"]},
            "pruned to 80 % zeros but not in the first and the last layer, c",
        ),
    ],
)
def test_how_it_was_pruned(config: dict[str, Any], expected: str) -> None:
    assert pruned(config, {}) == expected


def test_what_nobody_asked_for_is_read_from_the_record() -> None:
    assert pruned({"sparsity": None}, {"asked": 0.8}) == "pruned to 80 % zeros"


def test_a_step_in_one_line() -> None:
    config = {"sparsity": 0.8, "granularity": "2:4", "epochs": 5}
    assert told("prune", "base", config, {}).endswith("zeros (2 of each 4 weights stay), 5 epochs")
    assert told("train", "thin", {"keep_zeros": True, "epochs": 2}, {}) == (
        "thin, trained with its zeros kept, 2 epochs"
    )


def test_rounds_are_remarks() -> None:
    turns = [{"number": 1, "sparsity": 0.5, "val_accuracy": 0.9}, {"number": 2, "sparsity": 0.8}]
    assert rounds(Fields({"rounds": turns}, "here")) == (
        ("round 1", "50 % zeros, 90.0 % on the validation images"),
        ("round 2", "80 % zeros"),
    )


def test_a_missed_target_is_part_of_the_verdict() -> None:
    parent = ResultRow("a", "keras", numbers={"gzip_bytes": Number(900.0)})
    row = ResultRow("b", "keras", numbers={"gzip_bytes": Number(300.0)})
    sentence = "conv/kernel has 10 zeros, 3 fewer than asked: weights of equal magnitude go together"
    one = Step("b", "prune", "a", missed=(sentence,))
    assert verdict(row, parent, None, one).endswith(f"it missed its target: {sentence}")
    two = Step("b", "prune", "a", missed=(sentence, sentence))
    assert verdict(row, parent, None, two).endswith("it missed its target in 2 weights, as its notes tell")
    assert "missed" not in verdict(row, parent, None, Step("b", "prune", "a"))


def test_a_missed_target_is_read_from_the_run(run_folder: Path) -> None:
    path = run_folder / "steps/pruned/result.json"
    result = json.loads(path.read_text())
    result["record"]["missed"] = ["dense/kernel has 1 zeros, 9 fewer than asked: training ended early"]
    path.write_text(json.dumps(result))
    assert "training ended early" in collect(run_folder).row("pruned").verdict  # type: ignore[union-attr]
