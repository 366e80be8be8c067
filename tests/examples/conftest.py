"""Runs a script of examples/ as a stranger would, and reads what it printed."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """Runs a script in this process (an import of TensorFlow takes long), and returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(name: str) -> str:
        monkeypatch.setattr("sys.argv", [name])
        keras.utils.set_random_seed(0)
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return call


@pytest.fixture
def show_on(tmp_path: Path, on_backend: Callable[..., str]) -> Callable[[str, str], str]:
    """Runs a script in a process of its own, on another Keras backend where that is installed."""
    return lambda name, backend: on_backend(backend, str(EXAMPLES / name), folder=tmp_path, timeout=300)


@pytest.fixture
def shares() -> Callable[[str, str], list[float]]:
    """Each percentage in a text that stands where a pattern's group is, from 0 to 1."""
    return lambda text, pattern: [float(number) / 100 for number in re.findall(pattern, text)]


@pytest.fixture
def right(shares: Callable[[str, str], list[float]]) -> Callable[[str], list[float]]:
    """Each share of the test images that a script says were right."""
    return lambda text: shares(text, r"([\d.]+)% of the test images right")
