from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.errors import ConfigError
from trimtab.quantization import FakeQuantizer, freeze_ranges

pytestmark = pytest.mark.backend


def array(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def quantizing(**options):
    """A model of one quantizer, with the range -1 to 3, and a layer that hands on what it gives."""
    handing = keras.layers.Dense(4, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((4,)), FakeQuantizer(name="quantizer", **options), handing])
    layer = model.get_layer("quantizer")
    layer.set_range([-1.0] * layer.slots, [3.0] * layer.slots)
    return model, layer


def step_on(model, numbers):
    """One training step on numbers."""
    if not model.compiled:
        model.compile(keras.optimizers.SGD(0.1), loss="mse", jit_compile=False)
    model.train_on_batch(np.asarray([numbers], np.float32), np.zeros((1, 4), np.float32))


def test_it_rounds_to_256_numbers_with_zero_among_them():
    model, layer = quantizing()
    numbers = np.linspace(-2, 4, 4000, dtype=np.float32).reshape(-1, 4)
    found = array(model(numbers, training=False))
    assert len(np.unique(found)) == 256
    assert 0 in found
    step = 4 / 255
    inside = (numbers > -1) & (numbers < 3)
    assert np.abs(found - numbers)[inside].max() <= step / 2 + 1e-6
    assert layer.range() == (-1, 3)


def test_training_moves_the_range_and_inference_does_not():
    model, layer = quantizing(momentum=0.9)
    model(np.full((1, 4), 9, np.float32), training=False)
    assert layer.range() == (-1, 3)
    step_on(model, [-2, 0, 0, 8])
    np.testing.assert_allclose(layer.range(), (-1.1, 3.5), rtol=1e-5)


def test_a_frozen_range_stands_still():
    model, layer = quantizing(momentum=0.9)
    step_on(model, [-2, 0, 0, 8])
    freeze_ranges(model)
    before = layer.range()
    step_on(model, [-2, 0, 0, 8])
    assert layer.range() == before
    freeze_ranges(model, frozen=False)
    step_on(model, [-2, 0, 0, 8])
    assert layer.range() != before


def test_it_can_be_switched_off():
    model, layer = quantizing()
    numbers = np.float32([[0.123456, -7, 8, 1]])
    layer.enabled.assign(0.0)
    np.testing.assert_array_equal(array(model(numbers, training=False)), numbers)


def test_a_share_of_the_extremes_is_followed():
    model, layer = quantizing(momentum=0.5)
    layer.set_range([0.0], [1.0], share=(1.0, 0.5))
    step_on(model, [0, 0, 0, 4])
    np.testing.assert_allclose(layer.range()[1], 1.5, rtol=1e-5)


def test_tensors_that_share_a_range_are_followed_on_their_own():
    one, other = keras.Input((4,)), keras.Input((4,))
    layer = FakeQuantizer(slots=2, momentum=0.5)
    handing = keras.layers.Dense(4, use_bias=False, kernel_initializer="identity")
    model = keras.Model([one, other], [handing(layer(one, slot=0)), layer(other, slot=1)])
    layer.set_range([0.0, 0.0], [1.0, 5.0])
    model.compile(keras.optimizers.SGD(0.1), loss=["mse", "mse"], jit_compile=False)
    zeros = np.zeros((1, 4), np.float32)
    model.train_on_batch([zeros + 3, zeros + 7], [zeros, zeros])
    np.testing.assert_allclose(array(layer.high), [2, 6], rtol=1e-5)
    # Both are rounded with the range that holds both.
    np.testing.assert_allclose(array(layer(zeros + 5.9, slot=0)), 5.9, atol=0.02)


def test_learned_ranges_follow_the_gradient_until_they_are_frozen():
    model, layer = quantizing(ranges="learned")
    before = layer.range()
    step_on(model, [9, 9, 9, 9])  # clipped: the loss wants less
    step_on(model, [9, 9, 9, 9])  # the range shown is that of the last step
    assert layer.range()[1] < before[1]
    freeze_ranges(model)
    before = layer.range()
    for _ in range(3):
        step_on(model, [9, 9, 9, 9])
    assert layer.range() == before


def test_a_fixed_range_never_moves():
    model, layer = quantizing(fixed=(0.0, 255 / 256))
    step_on(model, [-2, 0, 0, 8])
    assert layer.range() == (0.0, 255 / 256)
    numbers = np.float32([[0.5, 0, 2, 1 / 256]])
    np.testing.assert_array_equal(array(layer(numbers)), [[0.5, 0, 255 / 256, 1 / 256]])


def test_it_is_saved_with_its_range(tmp_path):
    model, layer = quantizing(momentum=0.7, origin=("conv",))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").get_layer("quantizer")
    assert loaded.range() == layer.range()
    assert loaded.get_config() == layer.get_config()


def test_switching_and_freezing_trace_nothing_anew():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow counts traces")
    import tensorflow as tf

    model, layer = quantizing()
    traces = []

    @tf.function
    def run(numbers, training):
        traces.append(training)
        return model(numbers, training=training)

    numbers = tf.zeros((1, 4))
    for enabled in (1.0, 0.0, 1.0):
        layer.enabled.assign(enabled)
        layer.observing.assign(enabled)
        run(numbers, training=True)
        run(numbers, training=False)
    assert len(traces) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bits": 3}, "bits=3"),
        ({"ranges": "learnt"}, "Did you mean 'learned'"),
        ({"momentum": 1.0}, "momentum=1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        FakeQuantizer(**options)
