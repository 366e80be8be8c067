"""`trimtab doctor`: what it refuses, shows and writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from trimtab.cli import _doctor


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(folder: Path, digits: Any) -> str:
    from trimtab import zoo

    made = zoo.cnn(digits.image_shape, digits.classes, filters=(8, 16), dense=16, batch_norm=True, seed=0)
    made.save("a.keras")
    return "a.keras"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("a.keras", "--scheme", "int9"), "Did you mean 'int8'?"),
        (("a.keras", "--fix", "b.h5"), "ends in .keras"),
        (("a.keras", "--fix", "a.keras"), "is the model itself"),
        (("a.keras", "--fix", "../{folder}/a.keras"), "is the model itself"),
        (("b.keras",), "does not exist"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_loaded(
    cli: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], expected: str
) -> None:
    def loads() -> None:
        raise AssertionError("something was loaded")

    monkeypatch.setattr(_doctor, "import_backend", loads)
    Path("a.keras").write_bytes(b"nothing reads this")
    result = cli("doctor", *(word.format(folder=folder.name) for word in words))
    assert result.code == 2
    assert expected in " ".join(re.split(r"[\s│╭╮╰╯─]+", result.err))
    assert [path.name for path in folder.iterdir()] == ["a.keras"]


def test_what_is_no_classifier_is_refused(cli: Callable, folder: Path) -> None:
    Path("a.keras").write_bytes(b"not a model at all")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save("b.keras")
    for name, expected in (("a.keras", "is not a Keras model"), ("b.keras", "images are")):
        result = cli("doctor", name, "--fix", "c.keras")
        assert result.code == 2
        assert expected in result.err
        assert len(result.err.splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["a.keras", "b.keras"]


def test_a_diagnosis_fits_a_screen_and_is_fixed(cli: Callable, model: str, folder: Path) -> None:
    shown = cli("doctor", model, "--scheme", "int8", "--no-latency", "--fix", "b.keras")
    assert shown.code == 0, shown.err
    assert re.search(r"│ fold +│ 2 of 2 batch normalisations", shown.out)
    assert re.search(r"│ int8 +│ +[\d.]+ │", shown.out)
    assert "hint: could-be-simpler" in shown.out
    assert "Fixed: 2 batch normalisations" in shown.out
    assert "Model: b.keras" in shown.out
    assert len(shown.out.splitlines()) <= 30
    kinds = [type(layer).__name__ for layer in keras.models.load_model("b.keras").layers]
    assert "BatchNormalization" not in kinds
    again = cli("doctor", "b.keras", "--scheme", "float32", "--no-latency", "--fix", "c.keras", "--json")
    assert again.code == 0
    record = json.loads(again.out)
    assert record["file"] == "b.keras"
    assert record["fix"]["file"] is None
    assert "nothing to fix" in record["fix"]["reason"]
    assert [row["scheme"] for row in record["forecasts"]] == ["float32"]
    assert sorted(path.name for path in folder.iterdir()) == ["a.keras", "b.keras"]


def test_what_cannot_be_rewritten_is_still_diagnosed(cli: Callable, folder: Path) -> None:
    one, two = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    flat = keras.layers.GlobalAveragePooling2D()(keras.layers.Concatenate()([one, two]))
    keras.Model([one, two], keras.layers.Dense(3)(flat)).save("a.keras")
    result = cli("doctor", "a.keras", "--fix", "b.keras")
    assert result.code == 2
    assert "problem: several-inputs" in result.out
    assert [line.startswith("Error: ") for line in result.err.splitlines()] == [True]
    assert [path.name for path in folder.iterdir()] == ["a.keras"]


def test_a_model_that_would_not_give_the_same_is_not_written(
    cli: Callable, model: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab import doctor

    refused = doctor.Rewritten(None, ("Much was done.",), 0.5, "The outputs differ.")
    monkeypatch.setattr(doctor, "rewrite", lambda *_, **__: refused)
    result = cli("doctor", model, "--scheme", "float32", "--no-latency", "--fix", "b.keras")
    assert result.code == 1
    assert "Nothing was written: The outputs differ." in result.out
    assert [path.name for path in folder.iterdir()] == ["a.keras"]
