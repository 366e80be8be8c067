"""The scripts of the pruning walk-through run, and what they end with is what they promise."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

Show = Callable[[str], str]
Shares = Callable[[str, str], list[float]]
Right = Callable[[str], list[float]]


def test_whole_model(show: Show) -> None:
    output = show("pruning/whole_model.py")
    by_call, by_hand = re.findall(r"^by (?:prune|fit)\(\): ([\d.]+)%, ([\d.]+)% zeros", output, re.MULTILINE)
    for accuracy, zeros in (by_call, by_hand):
        assert float(accuracy) > 88
        assert 79.5 < float(zeros) < 80.5
    assert len(re.findall(r"\d+ of \d+ are zero", output)) == 4


def test_pretrained_weights(show: Show, shares: Shares, right: Right) -> None:
    output = show("pruning/pretrained_weights.py")
    assert all(zeros > 0.795 for zeros in shares(output, r"([\d.]+)% zeros"))
    pretrained, scratch = right(output)
    assert pretrained > scratch
    assert pretrained > 0.8


def test_specific_layers(show: Show, right: Right) -> None:
    lines = show("pruning/specific_layers.py").splitlines()
    dense = next(line for line in lines if line.startswith("all Dense layers"))
    assert re.search(r"conv_1 0%, conv_2 0%, dense 80%, logits 80%", dense)
    assert re.search(r"conv_1 0%, conv_2 80%, dense 80%, logits 0%", "\n".join(lines))
    assert min(right("\n".join(lines))) > 0.9
    assert sum("left alone" in line for line in lines) >= 6


def test_kinds_of_models(show: Show, right: Right) -> None:
    output = show("pruning/kinds_of_models.py")
    assert [line.split(":")[0] for line in output.splitlines()] == [
        *("sequential", "functional", "nested", "subclassed")
    ]
    assert output.count("convolution 75%") == output.count("logits 75%") == 4
    assert output.count("names as before") == 4
    assert min(right(output)) > 0.85


def test_custom_layer(show: Show, right: Right) -> None:
    output = show("pruning/custom_layer.py")
    assert dict(re.findall(r"^(\S+): (\d+)% zeros", output, re.MULTILINE)) == {
        "gated/value": "80",
        "gated/gate": "80",
        "careful/value": "80",
        "logits/kernel": "80",
    }
    assert min(right(output)) > 0.85


def test_fit_with_callbacks(show: Show, right: Right) -> None:
    output = show("pruning/fit_with_callbacks.py")
    assert set(re.findall(r"\w+ (\d+)%[,;]", output.splitlines()[-1])) == {"80"}
    assert float(re.findall(r"learning rate ([\d.]+)", output)[0]) < 0.0015
    assert right(output)[0] > 0.85


def test_tensorboard_summaries(show: Show, shares: Shares, right: Right) -> None:
    output = show("pruning/tensorboard_summaries.py")
    zeros, asked = shares(output, r"([\d.]+)% zeros"), shares(output, r"([\d.]+)% asked")
    assert len(zeros) > 10
    assert zeros == sorted(zeros)
    assert zeros[-1] == pytest.approx(asked[-1], abs=0.005) == 0.8
    assert right(output)[0] > 0.85


def test_custom_loop(show: Show, right: Right) -> None:
    check_loop(show("pruning/custom_loop.py"), keras.backend.backend(), right)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_custom_loop_on(backend: str, show_on: Callable[[str, str], str], right: Right) -> None:
    check_loop(show_on("pruning/custom_loop.py", backend), backend, right)


def check_loop(output: str, backend: str, right: Right) -> None:
    assert output.startswith(backend)
    assert re.findall(r"\w+ (\d+)%[,;]", output) == ["80"] * 4
    assert right(output)[0] > 0.85


def test_checkpoint(show: Show, shares: Shares, right: Right) -> None:
    lines = show("pruning/checkpoint.py").splitlines()
    half = shares(lines[0], r"([\d.]+)% zeros")[0]
    assert 0.5 < half < 0.79
    whole, resumed, forgetful = lines[1:]
    assert whole.endswith("the same bits")
    assert resumed.endswith("the same bits")
    assert forgetful.endswith("other weights")
    assert shares(whole, r"([\d.]+)% zeros")[0] == pytest.approx(0.8, abs=0.005)
    assert shares(forgetful, r"([\d.]+)% zeros")[0] < 0.79
    assert right(whole)[0] > 0.85


def test_deploy(show: Show, right: Right) -> None:
    output = show("pruning/deploy.py")
    assert "the same weights, no word of Trimtab in it" in output
    gains = [float(gain) for gain in re.findall(r"([\d.]+) times smaller", output)]
    assert gains[0] > 2.5
    assert gains[1] > 6
    assert min(right(output)) > 0.9
    sizes = dict(re.findall(r"^(\S+\.tflite): ([\d,]+) bytes", output, re.MULTILINE))
    assert len(sizes) == 4
    assert {path.name for path in Path("deployed").glob("*.tflite")} == set(sizes)
