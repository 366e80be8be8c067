"""What is read off a LiteRT file: multiply-accumulates and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trimtab.benchmarking import _memory
from trimtab.benchmarking._macs_of_file import macs_of_file
from trimtab.benchmarking._memory import interpreter_memory
from trimtab.litert import convert, inspect
from trimtab.models import macs


def test_macs_of_a_file_are_those_of_its_model(made: Any) -> None:
    for path in made.files.values():
        assert macs_of_file(path.read_bytes()) == (macs(made.model), ())


def test_macs_of_depthwise_grouped_and_transposed_convolutions() -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
            layers.Conv2D(6, 3, strides=2, padding="same"),
            layers.Conv2DTranspose(5, 2, strides=2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    known = 64 * 9 * 8 + 16 * 9 * 8 * 6 + 16 * 4 * 6 * 5 + 5 * 3
    content = convert(model, "float32", np.zeros((1, 8, 8, 4), np.float32))
    assert macs_of_file(content) == (known, ())
    assert macs(model) == known


def test_memory_grows_with_the_file(made: Any, tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4096), keras.layers.Dense(10)]
    )
    large = tmp_path / "large.tflite"
    large.write_bytes(convert(model, "float32", None))
    small = interpreter_memory(made.files["int8"], repeats=1)
    found = interpreter_memory(large, repeats=3)
    assert (found.name, found.unit) == ("peak_memory_bytes", "bytes")
    assert small.value is not None
    assert found.value is not None
    assert found.value > small.value
    assert found.value > 500_000  # the file holds 1.2 MB, of which at least the weights are touched
    assert "3 such processes" in found.method


def test_macs_of_a_matrix_product_whose_first_side_is_transposed() -> None:
    import tensorflow as tf

    class Product(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            left = tf.reshape(inputs, (-1, 8, 4))
            return tf.reshape(tf.matmul(left, tf.reshape(inputs, (-1, 8, 4)), transpose_a=True), (-1, 16))

    model = keras.Sequential([keras.Input((8, 4, 1)), Product()])
    content = convert(model, "float32", None)
    assert inspect(content).ops["BATCH_MATMUL"] == 1
    assert macs_of_file(content) == (4 * 8 * 4, ())


@pytest.mark.parametrize("said", ["hello", "[1]", '{"first": 1}', '{"first": null, "second": 2}'])
def test_a_noisy_measuring_process_is_a_reason(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text(f"print({said!r})")
    monkeypatch.setattr(_memory, "_PROBE", probe)
    found = interpreter_memory(made.files["int8"], repeats=1)
    assert found.value is None
    assert "gave no numbers" in found.method


def test_memory_that_cannot_be_measured_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"nothing")
    found = interpreter_memory(broken, repeats=2)
    assert found.value is None
    assert "the measuring process failed: ValueError" in found.method
    monkeypatch.setattr(_memory.sys, "executable", str(tmp_path / "python"))
    assert "no process could be started" in interpreter_memory(broken).method
