from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from trimtab.quantization._grid import (
    fake_quantized,
    grid,
    rounded_if,
    snapped,
    through,
    weight_limit,
)

pytestmark = pytest.mark.backend


def array(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


@given(low=st.floats(-50, 50), width=st.floats(0.01, 100))
@settings(deadline=None, max_examples=20)
def test_a_grid_has_an_integer_for_zero(low, width):
    step, zero = (float(array(part)) for part in grid(np.float32(low), np.float32(low + width)))
    assert 0 <= zero <= 255
    assert zero == int(zero)
    ends = np.array([-zero, 255 - zero]) * step
    wanted = np.array([min(low, 0.0), max(low + width, 0.0)])
    np.testing.assert_allclose(ends, wanted, atol=0.51 * step)


def test_a_tensor_that_is_always_zero_has_a_grid():
    step, zero = grid(np.float32(0), np.float32(0))
    assert float(array(step)) > 0
    assert float(array(zero)) == 0


def test_halves_go_to_the_even_number():
    found = snapped(ops.convert_to_tensor(np.float32([0.5, 1.5, 2.5, -0.5, -1.5, 99])), 1.0, -3.0, 4.0)
    np.testing.assert_array_equal(array(found), [0, 2, 2, 0, -2, 4])


def test_what_the_converter_is_shown_is_the_same_grid():
    numbers = np.linspace(-2.3, 4.1, 1001, dtype=np.float32)
    low, high = np.float32(-1.7), np.float32(3.3)
    step, zero = grid(low, high)
    mine = array(snapped(ops.convert_to_tensor(numbers), step, -zero, 255.0 - zero))
    theirs = array(fake_quantized(ops.convert_to_tensor(numbers), low, high))
    # They round halves in other ways, and differ in the last bit of a float.
    away = np.abs(numbers / float(array(step)) % 1 - 0.5) > 1e-3
    np.testing.assert_allclose(mine[away], theirs[away], atol=1e-5)


def test_rounding_can_be_switched_off():
    numbers = ops.convert_to_tensor(np.float32([0.4, 1.6]))
    np.testing.assert_array_equal(array(rounded_if(numbers, ops.convert_to_tensor(1.0))), [0, 2])
    np.testing.assert_allclose(array(rounded_if(numbers, ops.convert_to_tensor(0.0))), [0.4, 1.6])


def test_the_largest_weight():
    assert weight_limit(8) == 127
    assert weight_limit(4) == 7


class Rounding(keras.layers.Layer):
    """Trains a number that is rounded, and its step."""

    def build(self, input_shape):
        self.number = self.add_weight(shape=(3,), initializer="zeros")
        self.step = self.add_weight(shape=(), initializer="ones")

    def call(self, inputs):
        return inputs * through(self.number, self.step, -2.0, 2.0)


def test_gradients_pass_through_the_rounding_and_not_beyond_the_ends():
    model = keras.Sequential([keras.Input((3,)), Rounding()])
    layer = model.layers[0]
    layer.number.assign([0.4, 1.2, 5.0])
    model.compile(keras.optimizers.SGD(0.1), loss=lambda wanted, found: ops.sum(found), jit_compile=False)
    model.train_on_batch(np.ones((1, 3), np.float32), np.zeros((1, 3), np.float32))
    np.testing.assert_allclose(array(layer.number), [0.3, 1.1, 5.0], atol=1e-6)
    # LSQ: round(x) - x for what is inside, the end for what is outside.
    np.testing.assert_allclose(float(array(layer.step)), 1 - 0.1 * (-0.4 - 0.2 + 2), atol=1e-6)
