"""Trains a small network step by step in NumPy by TensorFlow Model Optimization's rules, and compares."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.pruning import ConstantSparsity, PolynomialSparsity, PruningOptimizer

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
]

RATE = np.float32(0.05)
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(30, 4, 7)).astype("float32")  # 30 batches of 4
Y = RANDOM.normal(size=(30, 4, 5)).astype("float32")
W1, W2 = (RANDOM.normal(size=shape).astype("float32") for shape in [(7, 9), (9, 5)])


class PruneLowMagnitude:
    """The state and the order of work of TFMOT's wrapper and step callback (release 0.8), for one weight."""

    def __init__(self, weight, schedule):
        self.weight, self.schedule, self.mask = weight.copy(), schedule, np.ones_like(weight)

    def before_forward(self, step):
        s = self.schedule
        if step >= s.begin and (s.end < 0 or step <= s.end) and (step - s.begin) % s.frequency == 0:
            magnitude = np.abs(self.weight)
            keep = np.round(np.float32(magnitude.size) * (np.float32(1) - self.sparsity(step)))
            threshold = np.sort(magnitude, axis=None)[::-1][int(max(keep, 1)) - 1]
            self.mask = (magnitude >= threshold).astype("float32")
        self.weight = self.weight * self.mask

    def sparsity(self, step):
        s = self.schedule
        if isinstance(s, ConstantSparsity):
            return np.float32(s.sparsity)
        p = np.float32(min(1.0, max(0.0, np.float32(step - s.begin) / np.float32(s.end - s.begin))))
        return np.float32(s.initial - s.final) * np.power(
            np.float32(1) - p, np.float32(s.power)
        ) + np.float32(s.final)


def tfmot(schedule, steps):
    """Weights after each step, as they stand before the next forward pass is prepared: masked once more."""
    first, last = PruneLowMagnitude(W1, schedule), PruneLowMagnitude(W2, schedule)
    seen = []
    for step in range(1, steps + 1):
        for part in (first, last):
            part.before_forward(step)
        seen.append((first.weight.copy(), last.weight.copy()))  # what the forward pass of `step` uses
        x, y = X[step - 1], Y[step - 1]
        hidden = np.maximum(x @ first.weight, 0)
        slope = 2 * (hidden @ last.weight - y) / y.size
        back = (slope @ last.weight.T) * (hidden > 0)
        last.weight = last.weight - RATE * (hidden.T @ slope)
        first.weight = first.weight - RATE * (x.T @ back)
    return seen


def ours(schedule, steps):
    """The same training through Keras and the pruning optimizer."""
    model = keras.Sequential(
        [
            keras.Input((7,)),
            keras.layers.Dense(9, "relu", use_bias=False),
            keras.layers.Dense(5, use_bias=False),
        ]
    )
    model.set_weights([W1, W2])
    model.compile(PruningOptimizer(keras.optimizers.SGD(float(RATE)), schedule), "mse")
    model.optimizer.build(model.trainable_variables)
    seen = []
    for step in range(steps):
        seen.append(tuple(np.array(ops.convert_to_numpy(v)) for v in model.trainable_variables))
        model.train_on_batch(X[step], Y[step])
        model.get_weights()  # brings JAX's state back into the variables
    return seen


@pytest.mark.parametrize(
    "schedule",
    [
        PolynomialSparsity(0.0, 0.8, begin=0, end=24, frequency=4),
        PolynomialSparsity(0.2, 0.7, begin=3, end=23, power=2, frequency=5),
        PolynomialSparsity(0.3, 0.9, begin=1, end=11, frequency=1),
        ConstantSparsity(0.6, begin=1, frequency=6),
        ConstantSparsity(0.5, begin=2, end=20, frequency=3),
    ],
    ids=repr,
)
def test_each_forward_pass_sees_the_weights_that_tfmot_would_show_it(schedule):
    for step, (expected, found) in enumerate(
        zip(tfmot(schedule, 30), ours(schedule, 30), strict=True), start=1
    ):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one == 0, other == 0, err_msg=f"zeros at step {step}")
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=f"weights at step {step}")


def test_where_tfmot_misses_the_final_sparsity_it_is_reached():
    schedule = PolynomialSparsity(0.0, 0.8, begin=0, end=25, frequency=15)
    missed, reached = tfmot(schedule, 30)[-1][0], ours(schedule, 30)[-1][0]
    assert np.count_nonzero(reached == 0) == 50  # 63 weights, round(12.6) = 13 stay
    assert np.count_nonzero(missed == 0) < 50
