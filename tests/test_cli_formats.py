"""`trimtab export --format`: which file is made, by name or by ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trimtab._choices import FORMAT_ENDINGS, file_format
from trimtab.errors import ConfigError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """The files and schemes that `trimtab.export` was asked for; nothing is exported."""
    import keras

    import trimtab
    from trimtab.cli import _files, _tables

    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    seen: list[tuple[str, str]] = []

    def export(_: object, path: Path, scheme: str, **__: object) -> Any:
        seen.append((Path(path).name, scheme))
        return SimpleNamespace()

    monkeypatch.chdir(tmp_path)
    Path("net.keras").touch()
    monkeypatch.setattr(trimtab, "export", export, raising=False)
    monkeypatch.setattr(trimtab, "load_model", lambda _: network, raising=False)
    monkeypatch.setattr(_files, "import_backend", lambda: None)
    monkeypatch.setattr(_files, "load_images", lambda *_: None)
    monkeypatch.setattr(_tables, "show_artifact", lambda *_, **__: None)
    return seen


@pytest.mark.parametrize(
    ("words", "file", "scheme"),
    [
        ((), "net-int8.tflite", "int8"),
        (("--format", "onnx"), "net-float32.onnx", "float32"),
        (("--format", "c"), "net-int8.c", "int8"),
        (("--format", "c", "--scheme", "float32"), "net-float32.c", "float32"),
        (("--out", "a.xml"), "a.xml", "float32"),
        (("--out", "a.pt2", "--format", "torch"), "a.pt2", "float32"),
        (("--out", "a.tflite"), "a.tflite", "int8"),
    ],
)
def test_the_format_and_its_scheme(
    cli: Callable, asked: list[tuple[str, str]], words: tuple[str, ...], file: str, scheme: str
) -> None:
    result = cli("export", "net.keras", "--data", "digits", *words)
    assert result.code == 0, result.err
    assert asked == [(file, scheme)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "onx"), "Invalid value for '--format'"),
        (("--out", "a.onnx", "--format", "c"), "ends in .c. Received: 'a.onnx'. Write 'a.c', say."),
        (("--out", "a.lite"), "(or another format's ending: .onnx, .xml, .pt2, .c)"),
        (("--format", "c"), "int8 needs images"),
    ],
)
def test_a_format_that_does_not_fit_is_one_line(
    cli: Callable, asked: list[tuple[str, str]], words: tuple[str, ...], message: str
) -> None:
    result = cli("export", "net.keras", *words)
    assert result.code == 2
    assert message in result.err
    assert asked == []


def test_the_endings_tell_the_formats_apart() -> None:
    assert len(set(FORMAT_ENDINGS.values())) == len(FORMAT_ENDINGS)
    for name, ending in FORMAT_ENDINGS.items():
        assert file_format(f"a{ending}") == file_format(f"a{ending}", name) == name
    with pytest.raises(ConfigError, match=r"Did you mean 'openvino'"):
        file_format("a.xml", "openvin")


def test_what_belongs_to_a_file_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from trimtab.cli._tables import show_artifact

    parity = SimpleNamespace(top1_agreement=1.0, images=9, max_error=0.1)
    artifact: Any = SimpleNamespace(
        parity=parity, scheme="float32", bytes=10, gzip_bytes=5, path=Path("a.xml"),
        parts={"a.bin": "0"}, notes=("A word of caution.",),
    )  # fmt: skip
    show_artifact(artifact, as_json=False)
    shown = capsys.readouterr().out
    assert "A word of caution.\n" in shown
    assert "File: a.xml (with a.bin beside it)\n" in shown
