"""The working memory of a file, counted by hand on a network that is small enough."""

from __future__ import annotations

from typing import Any

import numpy as np

from trimtab import litert
from trimtab.benchmarking._arena import arena_bytes
from trimtab.benchmarking._probe_file import probe_file, roughen


def test_the_largest_pair_of_neighbours_decides() -> None:
    import keras

    image = keras.Input((8, 8, 1))
    wide = keras.layers.Conv2D(16, 3, padding="same", name="wide")(image)  # 8*8*16 bytes, from 64
    small = keras.layers.Conv2D(4, 3, strides=4, padding="same", name="small")(wide)
    model = keras.Model(image, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(small)))
    assert arena_bytes(probe_file(roughen(model), (8, 8, 1))) == 8 * 8 * 16 + 8 * 8


def test_a_shortcut_stays_alive_meanwhile() -> None:
    import keras

    image = keras.Input((8, 8, 4))
    x = keras.layers.Conv2D(4, 3, padding="same", name="one")(image)
    x = keras.layers.Conv2D(4, 3, padding="same", name="two")(x)
    model = keras.Model(
        image, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([image, x])))
    )
    # While the second convolution runs, the image waits for the addition beside its input and its output.
    assert arena_bytes(probe_file(roughen(model), (8, 8, 4))) == 3 * 8 * 8 * 4


def test_random_weights_weigh_what_trained_ones_do(digits: Any, small_cnn: Any) -> None:
    from trimtab import models, train

    probed = probe_file(roughen(models.clone(small_cnn)), (8, 8, 1))
    train(small_cnn, digits, epochs=1)
    trained = litert.convert(small_cnn, "int8", digits.train.inputs(0, 50), image_shape=(8, 8, 1))
    assert len(probed) == len(litert.diet(trained))
    assert isinstance(roughen(small_cnn).weights[0].numpy(), np.ndarray)
