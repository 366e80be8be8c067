"""The script goes through the whole of itself; nothing is said about how fast any file was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
def test_ptq_routes(quick: Callable[..., dict[str, Any]]) -> None:
    record = quick("ptq_routes")
    (made,) = record["nets"].values()
    names = [one["name"] for one in made]
    assert {name.split(":")[0] for name in names} >= {"float32", "dynamic-int8", "int8", "int16x8", "int4"}
    assert "int8: fake-quantized, mse" in names
    agreement = {one["name"]: one["agreement"] for one in made}
    assert agreement["float32: converter"] == 1
    assert agreement["int8: converter"] > 0.95
    assert [row["name"] for row in record["rows"]] == names
    assert all(row["ratio"]["to"] == "int8: converter" for row in record["rows"] if row["ratio"])
    assert [line[1] for line in record["tables"][0]["rows"]] == names
    assert any("its routes are missing" in note for note in record["notes"])
