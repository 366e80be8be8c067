"""Gradient times weight: against the loss itself, on each backend."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest

from trimtab import pruning
from trimtab.data import ImageData, Split
from trimtab.errors import ConfigError, DataError, ModelError
from trimtab.pruning.scanning._taylor import batch_gradients, mean_gradients
from trimtab.training._judging import some_images

pytestmark = pytest.mark.backend


def linear(digits, **options):
    """Softmax regression, whose gradient is known in closed form."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Flatten(), keras.layers.Dense(digits.classes, **options)]
    return keras.Sequential([keras.layers.Input(digits.image_shape), *layers])


def closed_form(model, split):
    """The gradient of the mean cross-entropy of softmax regression: x^T (p - y) / n."""
    kernel, bias = (np.asarray(weight, np.float64) for weight in model.get_weights())
    x = split.inputs().reshape(len(split), -1).astype(np.float64)
    scores = np.exp(x @ kernel + bias)
    wanted = scores / scores.sum(axis=1, keepdims=True) - np.eye(kernel.shape[1])[split.labels]
    return x.T @ wanted / len(split), kernel


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_scores_are_those_of_the_closed_form(digits, activation):
    model = linear(digits, activation=activation)
    few = some_images(digits.train, 100, 5, "none")
    gradient, kernel = closed_form(model, few)
    # 100 images in batches of 32: the last one is filled up, and what fills it does not count.
    (scores,) = pruning.taylor_scores(model, digits, images=100, batch_size=32, seed=5)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, np.abs(gradient * kernel), rtol=2e-4, atol=1e-7)


def test_the_sums_of_batches_add_up_to_the_mean(digits):
    model = linear(digits)
    kernels = [model.layers[-1].kernel]
    found = list(batch_gradients(model, digits, kernels, images=100, batch_size=32, seed=5))
    assert [count for _, count in found] == [32, 32, 32, 4]
    total = sum(np.asarray(gradients[0], np.float64) for gradients, _ in found) / 100
    np.testing.assert_allclose(
        total, closed_form(model, some_images(digits.train, 100, 5, "none"))[0], atol=1e-6
    )
    (mean,) = mean_gradients(model, digits, kernels, images=100, batch_size=32, seed=5)
    np.testing.assert_allclose(mean, total, rtol=1e-5, atol=1e-8)


def test_a_cnn_is_scored_and_left_as_it_is(digits, small_cnn):
    before = [np.array(weight) for weight in small_cnn.get_weights()]
    scores = pruning.taylor_scores(small_cnn, digits, images=64)
    kernels = [weight for weight in small_cnn.trainable_variables if weight.name == "kernel"]
    assert [score.shape for score in scores] == [tuple(kernel.shape) for kernel in kernels]
    assert all((score >= 0).all() and score.max() > 0 for score in scores)
    for one, other in zip(before, small_cnn.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    again = pruning.taylor_scores(small_cnn, digits, images=64, weights=kernels[1:2])
    np.testing.assert_allclose(again[0], scores[1], rtol=1e-4, atol=1e-9)


def test_a_model_with_a_fixed_batch_is_scored(digits):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(batch_shape=(7, *digits.image_shape))
    model = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(inputs)))
    (scores,) = pruning.taylor_scores(model, digits, images=20, seed=2)
    gradient, kernel = closed_form(model, some_images(digits.train, 20, 2, "none"))
    np.testing.assert_allclose(scores, np.abs(gradient * kernel), rtol=2e-4, atol=1e-7)


def test_a_weight_that_nothing_needs_scores_zero(digits):
    class Idle(keras.layers.Dense):
        def call(self, inputs):
            return keras.ops.zeros_like(inputs[:, : self.units])

        def compute_output_shape(self, input_shape):
            return (input_shape[0], self.units)

    inputs = keras.Input(digits.image_shape)
    flat = keras.layers.Flatten()(inputs)
    model = keras.Model(inputs, keras.layers.Add()([keras.layers.Dense(10)(flat), Idle(10)(flat)]))
    used, idle = pruning.taylor_scores(model, digits, images=16)
    assert used.max() > 0
    assert not idle.any()


def test_many_models_in_one_run_are_no_retracing(digits, caplog):
    # TensorFlow warns of a function that it must trace again and again, and tells functions by their code.
    tensorflow = logging.getLogger("tensorflow")
    tensorflow.addHandler(caplog.handler)
    try:
        for _ in range(8):
            pruning.taylor_scores(linear(digits), digits, images=4)
    finally:
        tensorflow.removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


def test_which_images_is_up_to_the_seed(digits):
    none = "none"
    one, same, other = (some_images(digits.train, 50, seed, none) for seed in (1, 1, 2))
    assert np.array_equal(one.images, same.images)
    assert not np.array_equal(one.labels, other.labels)
    assert some_images(digits.train, 10**6, 0, none) is digits.train


def test_arguments_that_make_no_sense_are_refused_before_any_work(digits, small_cnn):
    kernel = small_cnn.trainable_variables[0]
    for options, told in (
        ({"weights": kernel}, "weights needs a list of the model's variables"),
        ({"seed": -1}, "seed=-1 must be a whole number of at least 0"),
        ({"from_logits": "no"}, "from_logits='no' must be True, False, or None"),
    ):
        with pytest.raises(ConfigError, match=told):
            pruning.taylor_scores(small_cnn, digits, **options)
    with pytest.raises(ConfigError, match=r"data must be what trimtab.load_data gave, but got dict"):
        pruning.taylor_scores(small_cnn, {})


def test_bad_input(digits, small_cnn):
    with pytest.raises(ConfigError, match="images=0 must be a whole number of at least 1"):
        pruning.taylor_scores(small_cnn, digits, images=0)
    with pytest.raises(ConfigError, match="1 of 1 weights to score are not among the model's trainable"):
        pruning.taylor_scores(small_cnn, digits, weights=[keras.Variable(np.ones((2, 2), "float32"))])
    with pytest.raises(ModelError, match="Keras 3 model is needed"):
        pruning.taylor_scores("model", digits)
    empty = Split(digits.train.images[:0], digits.train.labels[:0])
    bare = ImageData("bare", empty, digits.validation, digits.test, digits.class_names, "", "")
    with pytest.raises(DataError, match="bare has no training images"):
        pruning.taylor_scores(small_cnn, bare)
    small_cnn.layers[-1].bias.assign(np.full(digits.classes, np.nan, "float32"))
    kernels = [weight for weight in small_cnn.trainable_variables if weight.name == "kernel"]
    with pytest.raises(ModelError, match=r"The gradients of the model .* hold NaN or infinity"):
        mean_gradients(small_cnn, digits, kernels, images=8, from_logits=True)
