"""Fixtures that every room's tests may use."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from trimtab.data import ImageData


ROOT = Path(__file__).parents[1]

# For every process that a test starts. What is run on JAX is small, and nearly all of its time goes into
# compiling: unoptimized, that takes half as long.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


@pytest.fixture(scope="session")
def digits() -> ImageData:
    """The 1,797 real 8x8 digits that scikit-learn carries."""
    from trimtab.data import load_data

    return load_data("digits")


@pytest.fixture
def small_cnn(digits: ImageData) -> Any:
    """A fresh, untrained CNN for the digits, small enough to train in a second."""
    from trimtab.zoo import cnn

    return cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, seed=0)


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets runs end without drawing their report, which takes longer than all else in a small one."""
    import trimtab.reporting

    monkeypatch.setattr(trimtab.reporting, "report", lambda folder, **_: folder / "report.html")


@dataclass(frozen=True)
class CliResult:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., CliResult]:
    """Runs the command line in this process, as `trimtab WORDS` would."""
    from trimtab.cli import main

    def call(*words: object) -> CliResult:
        monkeypatch.setattr("sys.argv", ["trimtab", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "100")
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        out, err = capsys.readouterr()
        return CliResult(code, out, err)

    return call


@pytest.fixture
def on_backend() -> Callable[..., str]:
    """Runs Python on another Keras backend, in a process of its own, and returns what it printed.

    Skips where that backend is not installed, or is the one of this very run.
    """

    def run(backend: str, *words: str, folder: Path = ROOT, timeout: int = 900) -> str:
        import keras

        if importlib.util.find_spec(backend) is None:
            pytest.skip(f"{backend} is not installed: pip install 'trimtab[{backend}]'")
        if keras.backend.backend() == backend:
            pytest.skip(f"{backend} is the backend of this very run")
        # One thread: on a busy machine torch's threads wait for each other at each small step.
        alone = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
        environment = {**os.environ, **alone, "KERAS_BACKEND": backend}
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    return run


@pytest.fixture
def backend_tests_pass(on_backend: Callable[..., str]) -> Callable[..., None]:
    """Runs the tests marked `backend` in some folders or files again on another Keras backend."""

    def run(backend: str, *places: str, timeout: int = 900) -> None:
        words = ["-m", "pytest", "-m", "backend", "-q", "--import-mode=importlib"]
        words += ["-p", "no:cacheprovider", "-p", "no:xdist", *places]
        on_backend(backend, *words, timeout=timeout)

    return run
