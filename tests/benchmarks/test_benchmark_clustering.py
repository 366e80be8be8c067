"""The benchmark of clustering goes through the whole of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
def test_clustering(quick: Callable[..., dict[str, Any]]) -> None:
    record = quick("clustering")
    found = record["found"]
    both = found["pruned 70 %, clustered 16"]
    assert both["gzip_bytes"] < found["int8"]["gzip_bytes"]
    assert both["bits"] < found["clustered 16"]["bits"] < found["int8"]["bits"]
    assert all(0 < one["accuracy"] <= 1 for one in found.values())
    assert record["rows"][0]["name"] == "int8"
    assert {row["name"] for row in record["rows"]} == set(found)
    (table,) = record["tables"]
    assert len(table["rows"]) == len(found)
