"""The script about tuning runs, and what it ends with is what it promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Show = Callable[[str], str]
Shares = Callable[[str, str], list[float]]


def test_own_space(show: Show, shares: Shares) -> None:
    output = show("tuning/own_space.py")
    assert output.count("trial ") >= 6
    defaults, best = shares(output, r"([\d.]+)% of the validation images")
    assert best >= defaults
    assert best > 0.5
    assert "explains" in output
    assert Path("best.keras").is_file()
