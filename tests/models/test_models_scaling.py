from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.errors import ConfigError
from trimtab.models._scaling import check_scaling


@pytest.fixture(scope="module")
def images(digits):
    """Images in 0..1."""
    return digits.train.inputs(0, 64)


def _net(*first):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((8, 8, 1)), *first, layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10)]
    )


@pytest.fixture(scope="module")
def experienced(images):
    """A net whose batch normalisation has seen images in 0..1."""
    model = _net(layers.Conv2D(4, 3, name="stem"), layers.BatchNormalization(momentum=0.5, name="norm"))
    for _ in range(8):
        model(images, training=True)
    return model


def test_images_as_in_training_pass(experienced, images):
    check_scaling(experienced, images)
    check_scaling(experienced, images * 2 - 1)  # another range, yet of the same order
    check_scaling(_net(), images * 255)  # a model that remembers nothing


@pytest.mark.parametrize("factor", [255.0, 1 / 255])
def test_what_batch_normalisation_remembers_tells(experienced, images, factor):
    with pytest.raises(
        ConfigError, match=r"not scaled as those of the training.*'norm'.*input_range"
    ) as caught:
        check_scaling(experienced, images * np.float32(factor))
    assert "\n" not in str(caught.value)


def test_what_a_normalisation_was_adapted_to_tells(images):
    normal = layers.Normalization(name="normal")
    normal.adapt(images * 255)
    check_scaling(_net(normal), images * 255)
    with pytest.raises(ConfigError, match="'normal'"):
        check_scaling(_net(normal), images)


def test_a_rescaling_layer_tells(images):
    divides = _net(layers.Rescaling(1 / 127.5, offset=-1, name="scale"))
    check_scaling(divides, images * 255)
    with pytest.raises(ConfigError, match=r"from 0 to 1, and layer 'scale'.*0\.00784.*made for 0\.\.255"):
        check_scaling(divides, images)
    multiplies = _net(layers.Rescaling(2.0, offset=-1, name="scale"))
    check_scaling(multiplies, images)
    with pytest.raises(ConfigError, match=r"made for 0\.\.1"):
        check_scaling(multiplies, images * 255)
    check_scaling(_net(layers.Rescaling(255.0)), images)  # ends where a published net begins


def test_experience_counts_more_than_a_rescaling_layer(images):
    """Whoever trained a network on images that its author did not mean has trained it on these."""
    model = _net(layers.Rescaling(1 / 255), layers.BatchNormalization(momentum=0.1, epsilon=1e-9))
    for _ in range(8):
        model(images, training=True)
    check_scaling(model, images)


def test_a_subclassed_model_is_left_alone(images):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.scale, self.flat, self.head = layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10)

        def call(self, inputs):
            return self.head(self.flat(self.scale(inputs)))

    model = Own()
    model(images)
    check_scaling(model, images)
