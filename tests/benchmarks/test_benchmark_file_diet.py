"""The benchmark of the file's own weight goes through the whole of itself, and keeps what was promised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_file_diet(quick: Callable[..., dict[str, Any]]) -> None:
    record = quick("file_diet")
    assert record["rows"]
    saved, differing, grown, *_ = record["rows"]
    assert saved["value"] >= saved["target"]["limit"] == 20
    assert differing["value"] == grown["value"] == 0
    (found,) = record["files"]
    assert 20_000 < found["before"] < 26_000
    assert found["constants"] < found["after"] < found["before"]
    (table,) = record["tables"]
    assert [len(line) for line in table["rows"]] == [len(table["headings"])]
