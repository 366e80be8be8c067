"""The scripts about channels run, and what they end with is what they promise."""

from __future__ import annotations

import re
from collections.abc import Callable

import keras
import pytest

from trimtab.channels import _register

Show = Callable[[str], str]
Right = Callable[[str], list[float]]


def numbers(text: str, pattern: str) -> list[int]:
    """Each whole number that stands where the pattern's group is."""
    return [int(number.replace(",", "")) for number in re.findall(pattern, text)]


def test_whole_model(show: Show, right: Right) -> None:
    output = show("channels/whole_model.py")
    before, after = re.findall(r"([\d,]+) -> ([\d,]+) MACs", output)[0]
    assert int(after.replace(",", "")) <= 0.5 * int(before.replace(",", ""))
    assert re.search(r"left alone: logits: leads to the model's output", output)
    assert re.search(r"conv_1 with conv_1.*: 16 -> \d+", output)
    whole, smaller = numbers(output, r"int8 ([\d,]+) bytes")
    assert smaller < 0.9 * whole
    assert min(right(output)) > 0.85


def test_targets(show: Show) -> None:
    lines = show("channels/targets.py").splitlines()
    whole = numbers(lines[0], r"([\d,]+) (?:parameters|MACs)")
    reached = [float(line.split("reached ")[1].split(";")[0]) for line in lines[1:5]]
    assert reached[0] == pytest.approx(0.5, abs=0.05)
    assert reached[1] <= 5000
    assert reached[2] <= 0.4 * whole[1]
    assert all(numbers(line, r"; ([\d,]+) parameters")[0] < whole[0] for line in lines[1:5])
    assert "parameters=100 cannot be met" in lines[5]


def test_dependency_groups(show: Show) -> None:
    output = show("channels/dependency_groups.py")
    assert re.search(r"^stem \(16 channels\): stem, stem_bn, stage_1_block_1_conv_2, .*; free$", output, re.M)
    assert re.search(r"^logits \(10 channels\): logits; leads to the model's output$", output, re.M)
    before, after = re.findall(r"^([\d,]+) -> ([\d,]+) parameters", output, re.M)[0]
    assert int(after.replace(",", "")) < int(before.replace(",", ""))
    assert "the outputs differ by less than 1e-5" in output


def test_custom_layer(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("_FOLLOWS", "_RESIZES"):  # what the script registers is not for other tests
        monkeypatch.setattr(_register, table, dict(getattr(_register, table)))
    output = show("channels/custom_layer.py")
    assert "before: hidden: Gated 'gated' is not understood" in output
    assert "after: hidden: free" in output
    assert "after: gated: free" in output
    assert "gated: 48 -> 24 units" in output
    assert re.search(r"checked: \d+ of \d+ units went, and the outputs stayed", output)


def test_own_importance(show: Show, right: Right) -> None:
    output = show("channels/own_importance.py")
    found = re.findall(r"^(\w+): (\d+)% gone", output, re.M)
    assert [name for name, _ in found] == ["made", "first_ones", "l2", "random"]
    assert len({share for _, share in found}) == 1
    made, first, l2, chance = right(output)
    assert min(made, l2) > max(first, chance)


def check_loop(output: str, backend: str, right: Right) -> None:
    sizes = numbers(output, r"([\d,]+) parameters")
    assert len(sizes) == 2
    assert sizes[1] < sizes[0]
    steps = numbers(output, r"step (\d+)")
    assert steps == [steps[0], 2 * steps[0]]  # the optimizer counted on
    assert output.splitlines()[-1].startswith(f"{backend}: {3 * steps[0]} steps")
    assert right(output)[0] > 0.85


def test_custom_loop(show: Show, right: Right) -> None:
    check_loop(show("channels/custom_loop.py"), keras.backend.backend(), right)


def test_custom_loop_on_jax(show_on: Callable[[str, str], str], right: Right) -> None:
    check_loop(show_on("channels/custom_loop.py", "jax"), "jax", right)


def test_sparsity_learning(show: Show) -> None:
    output = show("channels/sparsity_learning.py")
    plain, pulled = (float(found) for found in re.findall(r"scales ([\d.]+) on average", output))
    assert pulled < 0.5 * plain
