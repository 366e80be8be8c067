"""Fixtures that every room's tests may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from trimtab.data import ImageData


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
