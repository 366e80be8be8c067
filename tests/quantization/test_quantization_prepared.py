"""What a model is made into before it gets quantizers: of float32, whatever it was trained in."""

from __future__ import annotations

import random

import keras
import numpy as np

from trimtab.quantization import calibrated, equalize, quantize_aware, strip

layers = keras.layers
IMAGES = np.random.default_rng(0).random((20, 8, 8, 2), dtype="float32")


def small(policy="float32", name="conv"):
    """A net with something of each kind: nested, split, folded, and an activation inside a layer."""
    keras.utils.set_random_seed(3)
    options = {"dtype": policy}
    inner = keras.Input((6, 6, 4))
    x = layers.BatchNormalization(**options)(layers.SeparableConv2D(4, 3, **options)(inner))
    base = keras.Model(inner, layers.ReLU(**options)(x), name="base")
    images = keras.Input((8, 8, 2), name="images")
    x = base(layers.Conv2D(4, 3, activation="silu", name=name, **options)(images))
    x = layers.Activation("hard_sigmoid", **options)(x)
    x = layers.Flatten(**options)(layers.Concatenate(**options)([x, x * 2.0]))
    model = keras.Model(images, layers.Dense(3, name="logits", **options)(x), name="net")
    keras.utils.set_random_seed(4)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(keras.random.uniform(weight.shape, 0.5, 1.5, dtype="float32"))
    return model


def scores(model):
    return np.asarray(keras.ops.convert_to_numpy(model(IMAGES, training=False)))


def test_a_model_of_mixed_precision_is_prepared_in_float32():
    low = calibrated(small("mixed_float16"), IMAGES)
    np.testing.assert_array_equal(scores(low), scores(calibrated(small(), IMAGES)))
    assert {layer.compute_dtype for layer in (*low.layers, *strip(low).layers)} == {"float32"}
    equal = equalize(small("mixed_bfloat16"), IMAGES).model
    np.testing.assert_allclose(scores(equal), scores(small()), atol=1e-5, rtol=1e-5)


def test_that_it_was_made_float32_is_told_and_names_stay():
    made = quantize_aware(small("mixed_float16", "conv 1"), images=IMAGES, epochs=0, keep_float=["conv 1"])
    assert "mixed_float16" in made.notes[0]
    assert set(made.kept_float) == {"conv 1"}
    assert "mixed_float16" in equalize(small("mixed_float16")).notes[-1]


def test_the_number_types_of_the_session_do_not_matter():
    model = small()
    wanted = calibrated(model, IMAGES)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        made = calibrated(model, IMAGES)
        plain = strip(made)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(scores(made), scores(wanted))
    np.testing.assert_array_equal(scores(plain), scores(strip(wanted)))


def halved(x):
    return keras.ops.relu(x) * 0.5


class Constantly(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return keras.ops.full(shape, 0.1, dtype)

    def get_config(self):
        return {}


class Unshrunk(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.0 * keras.ops.sum(x)

    def get_config(self):
        return {}


class Doubled(layers.Layer):
    def call(self, inputs):
        return inputs * 2.0


def test_what_is_not_registered_is_made_again_and_nothing_outside_moves():
    """As in `clone` and `fold`: the layers know their own classes and functions."""
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, activation=halved, kernel_initializer=Constantly()),
            layers.BatchNormalization(beta_initializer=Constantly()),
            layers.DepthwiseConv2D(3, depthwise_regularizer=Unshrunk()),
            layers.Lambda(lambda x: x + 1.0),
            Doubled(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    state = random.getstate()
    aware = calibrated(model, IMAGES)
    plain = strip(aware)
    assert random.getstate() == state
    np.testing.assert_allclose(scores(plain), scores(model), atol=0.1)
    np.testing.assert_allclose(scores(aware), scores(model), atol=0.2)
