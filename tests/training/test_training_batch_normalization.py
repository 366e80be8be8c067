from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from trimtab.training import train
from trimtab.training._batch_normalization import fused_batch_normalization

if TYPE_CHECKING:
    from trimtab.data import ImageData

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's own kernel")


class _Mine(keras.layers.BatchNormalization):
    pass


def _net(**options: Any) -> Any:
    image = keras.Input((8, 8, 1))
    inner = keras.Sequential([keras.Input((8, 8, 4)), keras.layers.BatchNormalization(**options)])
    start = keras.initializers.GlorotUniform(seed=1)
    x = keras.layers.Conv2D(4, 3, kernel_initializer=start, padding="same")(image)
    x = inner(x)
    x = keras.layers.BatchNormalization(**options)(x)
    x = _Mine()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(image, keras.layers.Dense(10, kernel_initializer=start)(x))


def _fit(model: Any, images: Any, labels: Any) -> None:
    import tensorflow as tf

    stream = tf.data.Dataset.from_tensor_slices((images, labels)).batch(32).repeat()
    options = tf.data.Options()
    options.autotune.enabled = False
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
    model.fit(stream.with_options(options), steps_per_epoch=60, verbose=0, shuffle=False)


@pytest.mark.parametrize(
    "options", [{}, {"scale": False, "momentum": 0.8}, {"center": False, "epsilon": 0.01}]
)
def test_sixty_steps_give_the_weights_that_keras_gives(digits: ImageData, options: dict[str, Any]) -> None:
    images, labels = digits.train.inputs(0, 256), digits.train.labels[:256]
    plain, fused = _net(**options), _net(**options)
    _fit(plain, images, labels)
    with fused_batch_normalization(fused) as count:
        assert count == 2  # not the subclass, and not the one on (batch, channels)
        _fit(fused, images, labels)
    for expected, found in zip(plain.get_weights(), fused.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_moving_variance_has_no_bessel_correction() -> None:
    model = keras.Sequential([keras.Input((1, 1, 2)), keras.layers.BatchNormalization(momentum=0.0)])
    images = np.array([[1, 2], [3, 6]], "float32").reshape(2, 1, 1, 2)
    with fused_batch_normalization(model):
        model(images, training=True)
    mean, variance = (np.asarray(weight) for weight in model.non_trainable_weights)
    np.testing.assert_allclose(mean, [2, 4], rtol=1e-6)
    np.testing.assert_allclose(variance, [1, 4], rtol=1e-6)


def test_frozen_layers_and_inference_are_left_to_keras() -> None:
    model = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.BatchNormalization()])
    images = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype("float32")
    expected = np.asarray(model(images, training=False))
    model.trainable = False
    with fused_batch_normalization(model):
        np.testing.assert_array_equal(model(images, training=True), expected)
        np.testing.assert_array_equal(model(images, training=False), expected)


def test_classes_come_back_whatever_happens(digits: ImageData) -> None:
    model = _net()

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    kinds = [type(layer) for layer in model._flatten_layers()]
    with pytest.raises(KeyboardInterrupt):
        train(model, digits, epochs=1, callbacks=[Stop()])
    assert [type(layer) for layer in model._flatten_layers()] == kinds
    assert model.train_function is None


def test_mixed_precision_keeps_its_own_code() -> None:
    layer = keras.layers.BatchNormalization(dtype="mixed_bfloat16")
    with fused_batch_normalization(keras.Sequential([keras.Input((4, 4, 2)), layer])) as count:
        assert count == 0


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras' saving
def test_a_model_saved_in_mid_training_is_ordinary(digits: ImageData, tmp_path: Path) -> None:
    path = tmp_path / "mid.keras"
    image = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(image))
    model = keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(x)))
    saver = keras.callbacks.ModelCheckpoint(path)
    train(model, digits, epochs=1, callbacks=[saver])
    again = keras.models.load_model(path)
    assert type(again.layers[2]) is keras.layers.BatchNormalization
    images = digits.test.inputs(0, 4)
    np.testing.assert_array_equal(again(images), model(images))
