"""The scripts about integers and shared values run, and what they end with is what they promise."""

from __future__ import annotations

import re
from collections.abc import Callable

Show = Callable[[str], str]
Shares = Callable[[str, str], list[float]]
Right = Callable[[str], list[float]]


def test_own_loop(show: Show, shares: Shares, right: Right) -> None:
    output = show("quantization/own_loop.py")
    dense, untrained, trained = right(output)
    assert dense > 0.9
    assert trained > untrained
    assert dense - trained < 0.05
    assert shares(output, r"class for ([\d.]+)% of the images")[0] > 0.98


def test_mixed_precision(show: Show, right: Right) -> None:
    output = show("quantization/mixed_precision.py")
    whole, narrow, mixed = right(output)
    assert re.search(r"^kept float: .+ \(\d+ choices were measured\)$", output, re.M)
    sizes = [int(size.replace(",", "")) for size in re.findall(r"([\d,]+) bytes", output)]
    assert sizes[1] <= sizes[2] < sizes[0]
    assert mixed >= narrow - 0.02
    assert whole - mixed < 0.05


def test_cluster_after_prune(show: Show, shares: Shares, right: Right) -> None:
    output = show("quantization/cluster_after_prune.py")
    packed = [int(size.replace(",", "")) for size in re.findall(r"([\d,]+) gzipped", output)]
    assert packed[0] > packed[1] > packed[2]
    assert packed[3] < packed[1]
    dense, *zeros = shares(output, r"([\d]+)% zeros")
    assert dense < 0.01
    assert all(share > 0.65 for share in zeros)
    values = [int(count.replace(",", "")) for count in re.findall(r"and ([\d,]+) values", output)]
    assert values[0] > values[1] > 16 >= values[2] >= values[3]
    assert min(right(output)) > 0.85
