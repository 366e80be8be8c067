"""Parameters, zeros, digests and summaries."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from trimtab.models import (
    architecture_summary,
    clone,
    load_model,
    model_digest,
    non_zeros,
    parameters,
    save_model,
)
from trimtab.zoo import cnn


def small(**options) -> keras.Model:
    return cnn((8, 8, 1), 3, filters=(2,), dense=0, batch_norm=True, **options)


def test_parameters_count_moving_statistics_and_shared_weights_once() -> None:
    assert parameters(small()) == 9 * 2 + 4 * 2 + 3 * 3
    inputs = keras.Input((4,))
    layer = keras.layers.Dense(4)
    assert parameters(keras.Model(inputs, layer(layer(inputs)))) == 20


def test_training_state_is_no_parameter() -> None:
    model = small(dropout=0.5)
    before = parameters(model)
    model.compile("adam", "mse", metrics=["mae"])
    model.train_on_batch(np.zeros((2, 8, 8, 1), np.float32), np.zeros((2, 3), np.float32))
    assert parameters(model) == before == 35


def test_non_zeros_are_what_is_left() -> None:
    model = small()
    zeros = sum(int((value == 0).sum()) for value in model.get_weights())
    assert non_zeros(model) == parameters(model) - zeros
    model.set_weights([value * 0 for value in model.get_weights()])
    assert non_zeros(model) == 0


def test_the_digest_survives_saving_loading_cloning_and_compiling(tmp_path: Path) -> None:
    model = small(dropout=0.5)
    digest = model_digest(model)
    assert len(digest) == 64
    save_model(model, tmp_path / "model.keras")
    assert model_digest(load_model(tmp_path / "model.keras")) == digest
    assert model_digest(clone(model)) == digest
    model.compile("adam", "mse")
    assert model_digest(model) == digest


def test_the_digest_sees_every_change() -> None:
    model = small()
    digests = {model_digest(model), model_digest(small(seed=1)), model_digest(small(dropout=0.1))}
    bias = model.get_layer("logits").bias
    bias.assign(bias + np.float32(1e-7))
    digests.add(model_digest(model))
    digests.add(model_digest(cnn((8, 8, 1), 3, filters=(2,), dense=0)))
    assert len(digests) == 5


def test_the_summary_is_a_readable_table() -> None:
    text = architecture_summary(cnn((8, 8, 1), 3, filters=(2,), dense=0))
    assert text == (
        "Model cnn: 29 parameters (24 not zero), 1,158 multiply-accumulates an image\n"
        "\n"
        "Layer        Kind                    Output  Parameters   MACs\n"
        "-----------  ----------------------  ------  ----------  -----\n"
        "conv_1       Conv2D                  8x8x2           20  1,152\n"
        "conv_1_relu  ReLU                    8x8x2            0      0\n"
        "pool_1       MaxPooling2D            4x4x2            0      0\n"
        "average      GlobalAveragePooling2D  2                0      0\n"
        "logits       Dense                   3                9      6\n"
    )


def test_the_summary_says_what_cannot_be_told() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.end = keras.layers.Dense(3, name="end")

        def call(self, inputs):
            return self.end(inputs)

    model = Own()
    model(np.zeros((1, 4), np.float32))
    text = architecture_summary(model)
    assert "at least 0 multiply-accumulates" in text
    assert "end: the graph of a class with its own call method cannot be read" in text
