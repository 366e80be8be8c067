"""Which layers a tensor's name tells of."""

from __future__ import annotations

import pytest

from trimtab.litert._layer_names import owners, suffix


@pytest.mark.parametrize(
    ("name", "end", "found"),
    [
        ("net/dense/MatMul;net/dense/BiasAdd", "", ["dense"]),
        ("net/dense_1/MatMul", "", ["dense_1"]),
        ("net_1/dense_1/MatMul", "_1", ["dense"]),
        ("net_1/dense_1_1/MatMul", "_1", ["dense_1"]),
        # "dense_1" was taken by "dense" with its ending, so that TensorFlow counted on.
        ("net_1/dense_1_2/MatMul", "_1", ["dense_1"]),
        ("net_1/flatten_1/Reshape", "_1", []),
    ],
)
def test_owners_are_read_off_a_tensors_name(name: str, end: str, found: list[str]) -> None:
    assert owners(name, ["dense", "dense_1"], end) == found


def test_the_ending_is_that_of_the_models_name() -> None:
    assert suffix("net", ["arith.constant", "net_3/dense_3/MatMul"]) == "_3"
    assert suffix("net", ["net/dense/MatMul"]) == ""
    assert suffix("net", ["other/dense/MatMul"]) is None
