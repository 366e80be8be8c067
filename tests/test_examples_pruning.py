"""The scripts of the pruning walk-through run, and what they end with is what they promise."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "examples" / "pruning"


@pytest.fixture
def show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Runs a script in this process (an import of TensorFlow takes long), and returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(name: str) -> str:
        monkeypatch.setattr("sys.argv", [name])
        keras.utils.set_random_seed(0)
        runpy.run_path(str(SCRIPTS / name), run_name="__main__")
        return capsys.readouterr().out

    return call


def shares(text: str, pattern: str) -> list[float]:
    """Each percentage that stands where the pattern's group is, from 0 to 1."""
    return [float(number) / 100 for number in re.findall(pattern, text)]


def right(text: str) -> list[float]:
    """Each share of the test images that a script says were right."""
    return shares(text, r"([\d.]+)% of the test images right")


def test_whole_model(show: Callable[[str], str]) -> None:
    output = show("whole_model.py")
    by_call, by_hand = re.findall(r"^by (?:prune|fit)\(\): ([\d.]+)%, ([\d.]+)% zeros", output, re.MULTILINE)
    for accuracy, zeros in (by_call, by_hand):
        assert float(accuracy) > 88
        assert 79.5 < float(zeros) < 80.5
    assert len(re.findall(r"\d+ of \d+ are zero", output)) == 4


def test_pretrained_weights(show: Callable[[str], str]) -> None:
    output = show("pretrained_weights.py")
    assert all(zeros > 0.795 for zeros in shares(output, r"([\d.]+)% zeros"))
    pretrained, scratch = right(output)
    assert pretrained > scratch
    assert pretrained > 0.8


def test_specific_layers(show: Callable[[str], str]) -> None:
    lines = show("specific_layers.py").splitlines()
    dense = next(line for line in lines if line.startswith("all Dense layers"))
    assert re.search(r"conv_1 0%, conv_2 0%, dense 80%, logits 80%", dense)
    assert re.search(r"conv_1 0%, conv_2 80%, dense 80%, logits 0%", "\n".join(lines))
    assert min(right("\n".join(lines))) > 0.9
    assert sum("left alone" in line for line in lines) >= 6


def test_kinds_of_models(show: Callable[[str], str]) -> None:
    output = show("kinds_of_models.py")
    assert [line.split(":")[0] for line in output.splitlines()] == [
        *("sequential", "functional", "nested", "subclassed")
    ]
    assert output.count("convolution 75%") == output.count("logits 75%") == 4
    assert output.count("names as before") == 4
    assert min(right(output)) > 0.85


def test_custom_layer(show: Callable[[str], str]) -> None:
    output = show("custom_layer.py")
    assert dict(re.findall(r"^(\S+): (\d+)% zeros", output, re.MULTILINE)) == {
        "gated/value": "80",
        "gated/gate": "80",
        "careful/value": "80",
        "logits/kernel": "80",
    }
    assert min(right(output)) > 0.85


def test_fit_with_callbacks(show: Callable[[str], str]) -> None:
    output = show("fit_with_callbacks.py")
    assert set(re.findall(r"\w+ (\d+)%[,;]", output.splitlines()[-1])) == {"80"}
    assert float(re.findall(r"learning rate ([\d.]+)", output)[0]) < 0.0015
    assert right(output)[0] > 0.85


def test_tensorboard_summaries(show: Callable[[str], str]) -> None:
    output = show("tensorboard_summaries.py")
    zeros, asked = shares(output, r"([\d.]+)% zeros"), shares(output, r"([\d.]+)% asked")
    assert len(zeros) > 10
    assert zeros == sorted(zeros)
    assert zeros[-1] == pytest.approx(asked[-1], abs=0.005) == 0.8
    assert right(output)[0] > 0.85


def test_custom_loop(show: Callable[[str], str]) -> None:
    check_loop(show("custom_loop.py"), keras.backend.backend())


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_custom_loop_on(backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install 'trimtab[{backend}]'")
    # One thread: on a busy machine torch's threads wait for each other at each small step.
    alone = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **alone, "KERAS_BACKEND": backend}
    command = [sys.executable, str(SCRIPTS / "custom_loop.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    check_loop(done.stdout, backend)


def check_loop(output: str, backend: str) -> None:
    assert output.startswith(backend)
    assert re.findall(r"\w+ (\d+)%[,;]", output) == ["80"] * 4
    assert right(output)[0] > 0.85


def test_checkpoint(show: Callable[[str], str]) -> None:
    lines = show("checkpoint.py").splitlines()
    half = shares(lines[0], r"([\d.]+)% zeros")[0]
    assert 0.5 < half < 0.79
    whole, resumed, forgetful = lines[1:]
    assert whole.endswith("the same bits")
    assert resumed.endswith("the same bits")
    assert forgetful.endswith("other weights")
    assert shares(whole, r"([\d.]+)% zeros")[0] == pytest.approx(0.8, abs=0.005)
    assert shares(forgetful, r"([\d.]+)% zeros")[0] < 0.79
    assert right(whole)[0] > 0.85


def test_deploy(show: Callable[[str], str]) -> None:
    output = show("deploy.py")
    assert "the same weights, no word of Trimtab in it" in output
    gains = [float(gain) for gain in re.findall(r"([\d.]+) times smaller", output)]
    assert gains[0] > 2.5
    assert gains[1] > 6
    assert min(right(output)) > 0.9
    sizes = dict(re.findall(r"^(\S+\.tflite): ([\d,]+) bytes", output, re.MULTILINE))
    assert len(sizes) == 4
    assert {path.name for path in Path("deployed").glob("*.tflite")} == set(sizes)


def test_each_script_is_tested_and_listed() -> None:
    listed = (SCRIPTS.parent / "README.md").read_text()
    tested = Path(__file__).read_text()
    for path in SCRIPTS.glob("*.py"):
        assert f'show("{path.name}")' in tested
        assert f"(pruning/{path.name})" in listed
