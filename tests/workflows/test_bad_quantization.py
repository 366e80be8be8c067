"""What cannot be quantized, as a user meets it on the command line: one clear line, and no file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

layers = keras.layers
RNG = np.random.default_rng(0)


def saved(*inner: Any, name: str = "model.keras") -> str:
    model = keras.Sequential([keras.Input((8, 8, 1)), *inner, layers.Flatten(), layers.Dense(3)])
    model.save(name)
    return name


def plain() -> str:
    return saved(layers.Conv2D(4, 3, name="stem"))


def used_to_bytes() -> str:
    """A model whose normalisation remembers images in 0..255."""
    norm = layers.BatchNormalization(momentum=0.0, name="norm")
    model = keras.Sequential([keras.Input((8, 8, 1)), norm, layers.Flatten(), layers.Dense(3)])
    model(RNG.uniform(0, 255, (64, 8, 8, 1)).astype("float32"), training=True)
    model.save("model.keras")
    return "model.keras"


def quantized_by_keras() -> str:
    model = keras.models.load_model(plain())
    model.layers[-1].quantize("int8")
    model.save("model.keras")
    return "model.keras"


def aware() -> str:
    from trimtab.quantization import calibrated

    model = calibrated(keras.models.load_model(plain()), RNG.random((16, 8, 8, 1), np.float32))
    model.save("model.keras")
    return "model.keras"


def with_nan_range() -> str:
    model = keras.models.load_model(aware())
    model.get_layer("stem_quantizer").high.assign([np.nan])
    model.save("model.keras")
    return "model.keras"


def subclassed() -> str:
    model = keras.models.load_model(plain())

    @keras.saving.register_keras_serializable("tests")
    class Own(keras.Model):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.last = layers.Dense(3)

        def call(self, images: Any) -> Any:
            return self.last(keras.ops.reshape(images, (-1, 64)))

    model = Own()
    model(np.zeros((1, 8, 8, 1), np.float32))
    model.save("model.keras")
    return "model.keras"


def images(train: np.ndarray | None = None) -> str:
    """A data set of three classes, whose training labels may be chosen."""
    labels = np.arange(90) % 3 if train is None else train
    arrays = {
        "x_train": RNG.integers(0, 256, (len(labels), 8, 8, 1), dtype=np.uint8),
        "y_train": labels,
        "x_test": RNG.integers(0, 256, (30, 8, 8, 1), dtype=np.uint8),
        "y_test": np.arange(30) % 3,
    }
    np.savez("images.npz", **arrays)
    return "images.npz"


AWARE, SCAN = ("quantize-aware",), ("sensitivity", "--scheme", "int8")
INT8, INT4 = ("export", "--scheme", "int8"), ("export", "--scheme", "int4")

CASES: dict[str, tuple[Callable[[], str], Callable[[], str], tuple[tuple[str, ...], ...], str]] = {
    "too few images": (
        plain,
        lambda: images(np.arange(6) % 3),
        (AWARE, SCAN, INT8, INT4),
        "to calibrate with",
    ),
    "one class": (
        plain,
        lambda: images(np.zeros(60, np.int64)),
        (AWARE, SCAN, INT8),
        "training images are of one class only",
    ),
    "another scale": (used_to_bytes, images, (AWARE, SCAN, INT8), "are not scaled as those of the training"),
    "quantized by Keras": (quantized_by_keras, images, (AWARE, SCAN, INT8), "quantized already"),
    "aware already": (aware, images, (AWARE, (*SCAN, "--max-drop", "0.01")), "quantizers already"),
    "an aware model as floats": (
        aware,
        images,
        (("export", "--scheme", "float32"),),
        "trimtab.quantization.strip(model)",
    ),
    "other bits": (aware, images, (INT4, ("sensitivity", "--scheme", "int4")), "weights of 8 bits"),
    "a NaN range": (with_nan_range, images, (INT8, AWARE, SCAN), "NaN"),
    "no graph": (subclassed, images, (AWARE, SCAN, INT4), "Own"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_quantized(
    cli: Callable, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, load, commands, words = CASES[case]
    model, data = make(), load()
    before = sorted(tmp_path.rglob("*"))
    for command, *options in commands:
        result = cli(command, model, "--data", data, *options)
        lines = [line for line in result.err.splitlines() if line.startswith("Error: ")]
        assert (result.code, len(lines)) == (2, 1), (command, result.err)
        assert words.lower() in lines[0].lower(), (command, lines[0])
        assert "Traceback" not in result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_layers_without_integers_are_named_and_stay_float(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, data = saved(layers.Conv2D(4, 3), layers.Activation("softplus", name="soft")), images()
    shown = cli("quantize-aware", model, "--data", data, "--epochs", 0)
    assert shown.code == 0, shown.err
    assert "soft stays float: LiteRT has no int8 kernel for the activation 'softplus'" in shown.out
    shown = cli("export", "aware.keras", "--data", data)
    assert shown.code == 0, shown.err


def test_images_scaled_as_in_training_calibrate(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["export", used_to_bytes(), "--data", images(), "--scheme", "int8"]
    assert "--input-range" in cli(*words).err
    result = cli(*words, "--input-range", "0,255")
    assert result.code == 0, result.err


def test_four_bits_say_what_they_are_for(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteRT unpacks 4-bit kernels of convolutions: no less time, only less to download."""
    monkeypatch.chdir(tmp_path)
    shown = cli("export", plain(), "--data", images(), "--scheme", "int4")
    assert shown.code == 0, shown.err
    assert "save download and storage only" in shown.out
