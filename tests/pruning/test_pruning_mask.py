from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from trimtab.errors import ConfigError, ModelError
from trimtab.pruning import magnitude_mask
from trimtab.pruning.criteria._mask import kept, magnitude_masks, nonzero_masks

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
]

TINY = float(np.float32(1e-44))  # subnormal


def reference(weights: np.ndarray, sparsity: float) -> np.ndarray:
    """TensorFlow Model Optimization's rule, with a sort."""
    magnitude = np.abs(weights)
    size = np.float32(weights.size)
    keep = int(max(np.round(size * (np.float32(1) - np.float32(sparsity))), 1))
    return magnitude >= np.sort(magnitude, axis=None)[::-1][keep - 1]


def mask(weights, sparsity) -> np.ndarray:
    return ops.convert_to_numpy(magnitude_mask(weights, sparsity))


numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, TINY, -TINY, 3.0e38, float("inf")]),
    st.floats(width=32, allow_nan=False),
)
# Few shapes, since JAX compiles anew for each.
shapes = st.sampled_from([(1,), (7,), (3, 3, 2, 5)])
arrays = hnp.arrays(np.float32, shapes, elements=numbers)


@given(weights=arrays, sparsity=st.floats(0, 0.999))
@settings(deadline=None, max_examples=40)
def test_masks_are_those_of_a_sort(weights, sparsity):
    np.testing.assert_array_equal(mask(weights, sparsity), reference(weights, sparsity))


@given(parts=st.lists(arrays, min_size=1, max_size=2), sparsity=st.floats(0, 0.999))
@settings(deadline=None, max_examples=6)
def test_many_tensors_at_once_are_ranked_each_by_itself(parts, sparsity):
    found = magnitude_masks([ops.convert_to_tensor(part) for part in parts], sparsity)
    for part, one in zip(parts, found, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one) != 0, reference(part, sparsity))


def test_the_compiled_masks_are_the_same():
    random = np.random.default_rng(0)
    parts = [random.normal(size=shape).astype("float32") for shape in [(3, 3, 4, 8), (50, 20), (1,)]]
    function = lambda *weights: magnitude_masks(weights, 0.7)  # noqa: E731
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        function = tf.function(function)
    elif keras.backend.backend() == "jax":
        import jax

        function = jax.jit(function)
    for part, one in zip(parts, function(*map(ops.convert_to_tensor, parts)), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one) != 0, reference(part, 0.7))


def test_one_weight_always_stays():
    assert mask(np.array([0.5], "float32"), 0.99).all()
    assert mask(np.array([1.0, 2.0, 3.0], "float32"), 0.99).tolist() == [False, False, True]


def test_ties_stay_together():
    assert mask(np.ones((4, 4), "float32"), 0.75).all()
    assert mask(np.zeros(5, "float32"), 0.8).all()


def test_halves_round_to_even():
    assert ops.convert_to_numpy(kept([1, 3, 5, 10], 0.5)).tolist() == [1, 2, 2, 5]


def test_never_more_than_there_are():
    assert ops.convert_to_numpy(kept([2**24 + 3], 0.0)).tolist() == [2**24 + 3]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_every_float_of_a_network_is_ranked(dtype):
    values = np.random.default_rng(1).normal(size=(40, 5)).astype("float32")
    weights = ops.cast(ops.convert_to_tensor(values), dtype)
    rounded = ops.convert_to_numpy(ops.cast(weights, "float32"))
    np.testing.assert_array_equal(mask(weights, 0.6), reference(rounded, 0.6))
    assert keras.backend.standardize_dtype(magnitude_masks([weights], 0.6)[0].dtype) == dtype


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 unless it is switched on")
def test_float64_is_ranked_by_all_its_digits():
    values = np.array([1.0, 1.0 + 1e-12, 1.0 + 2e-12, 1.0 + 3e-12])  # equal in float32
    weights = ops.convert_to_tensor(values, "float64")
    assert mask(weights, 0.5).tolist() == [False, False, True, True]
    mixed = magnitude_masks([weights, ops.convert_to_tensor(values[::-1].astype("float32"))], 0.5)
    assert ops.convert_to_numpy(mixed[0]).tolist() == [0, 0, 1, 1]
    assert ops.convert_to_numpy(mixed[1]).tolist() == [1, 1, 1, 1]


def test_zeros_are_told_from_the_tiniest_numbers():
    weights = ops.convert_to_tensor(np.array([0.0, -0.0, TINY, -TINY, 1.0], "float32"))
    assert ops.convert_to_numpy(nonzero_masks([weights])[0]).tolist() == [0, 0, 1, 1, 1]


def test_nan_is_refused():
    with pytest.raises(ModelError, match="NaN"):
        magnitude_mask(np.array([1.0, np.nan], "float32"), 0.5)


@pytest.mark.parametrize("sparsity", [1.0, -0.1, float("nan")])
def test_a_share_out_of_range_is_refused(sparsity):
    with pytest.raises(ConfigError, match="sparsity from 0"):
        magnitude_mask(np.ones(3, "float32"), sparsity)


@pytest.mark.parametrize("weights", [np.ones(3, "int32"), np.ones((0, 3), "float32")])
def test_what_cannot_be_ranked_is_refused(weights):
    with pytest.raises(ConfigError, match="floats, at least one"):
        magnitude_mask(weights, 0.5)
