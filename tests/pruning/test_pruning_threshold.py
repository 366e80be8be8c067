from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from trimtab.pruning.criteria._threshold import kept, kept_of, kth_largest, kth_largest_of_all, order_bits
from trimtab.testing._demand import compiled

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
]

LARGEST = 2**31 - 1
EDGES = [0, 1, 2**11 - 1, 2**11, 2**22 - 1, 2**22, 2**22 + 2**11, 2**30, LARGEST - 1, LARGEST]
integers = hnp.arrays(
    np.int32,
    st.sampled_from([(9,), (3, 5)]),
    elements=st.one_of(st.sampled_from(EDGES), st.integers(0, LARGEST)),
)


def numpy_of(values):
    return [int(ops.convert_to_numpy(value)) for value in values]


def find(arrays, ranks):
    return numpy_of(
        kth_largest([ops.convert_to_tensor(a) for a in arrays], ops.convert_to_tensor(ranks, "int32"))
    )


def sorted_down(array):
    return np.sort(array, axis=None)[::-1]


@given(arrays=st.lists(integers, min_size=1, max_size=3), data=st.data())
@settings(deadline=None, max_examples=25)
def test_it_is_what_a_sort_finds(arrays, data):
    ranks = [data.draw(st.integers(1, array.size)) for array in arrays]
    assert find(arrays, ranks) == [
        sorted_down(array)[rank - 1] for array, rank in zip(arrays, ranks, strict=True)
    ]


@given(arrays=st.lists(integers, min_size=1, max_size=3), data=st.data())
@settings(deadline=None, max_examples=15)
def test_of_all_tensors_together_too(arrays, data):
    together = np.concatenate([array.reshape(-1) for array in arrays])
    rank = data.draw(st.integers(1, together.size))
    found = kth_largest_of_all(
        [ops.convert_to_tensor(array) for array in arrays], ops.convert_to_tensor(rank, "int32")
    )
    assert numpy_of([found]) == [sorted_down(together)[rank - 1]]


@pytest.mark.parametrize("seed", range(4))
def test_numbers_that_differ_in_any_digit_are_told_apart(seed):
    """Neighbours, and numbers that share the higher digits of the answer or nearly so."""
    random = np.random.default_rng(seed)
    middle = int(random.integers(2**20, 2**30))
    steps = [0, *(2**bit for bit in range(30))]
    near = np.array([middle + step for step in steps if middle + step <= LARGEST], "int32")
    near = np.concatenate([near, np.array([max(middle - step, 0) for step in steps], "int32")])
    expected = sorted_down(near)
    ranks = [1, 2, near.size // 2, near.size - 1, near.size]
    assert find([near] * len(ranks), ranks) == [expected[rank - 1] for rank in ranks]


def test_many_numbers():
    array = np.random.default_rng(0).integers(0, 2**31, size=200_000, dtype="int64").astype("int32")
    assert find([array], [50_000]) == [sorted_down(array)[49_999]]


@pytest.mark.parametrize("most", [0.8, 0.999])
def test_mostly_zeros(most):
    """Pruned weights are mostly zeros: the histogram then has one full bin."""
    random = np.random.default_rng(1)
    array = random.integers(1, 2**31 - 1, size=5000).astype("int32")
    array[random.random(5000) < most] = 0
    alive = int((array > 0).sum())
    expected = sorted_down(array)
    assert find([array] * 3, [1, alive, alive + 1]) == [expected[0], expected[alive - 1], 0]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no int64 unless it is switched on")
@given(
    array=hnp.arrays(
        np.int64,
        (17,),
        elements=st.one_of(
            st.sampled_from([0, 2**13, 2**39, 2**52 + 1, 2**63 - 1]), st.integers(0, 2**63 - 1)
        ),
    ),
    rank=st.integers(1, 17),
)
@settings(deadline=None, max_examples=20)
def test_wide_integers(array, rank):
    assert find([array], [rank]) == [sorted_down(array)[rank - 1]]


def test_the_compiled_one_is_the_same():
    array = np.random.default_rng(2).integers(0, 2**31, size=(31, 7), dtype="int64").astype("int32")
    step = compiled(lambda bits, rank: kth_largest([bits], rank)[0])
    for rank in (1, 100, 217):
        found = step(ops.convert_to_tensor(array), ops.convert_to_tensor([rank], "int32"))
        assert numpy_of([found]) == [sorted_down(array)[rank - 1]]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compiles by XLA on TensorFlow")
def test_xla_on_tensorflow():
    import tensorflow as tf

    array = np.random.default_rng(2).integers(0, 2**31, size=(31, 7), dtype="int64").astype("int32")
    step = tf.function(lambda bits, rank: kth_largest([bits], rank)[0], jit_compile=True)
    for rank in (1, 100, 217):
        assert numpy_of([step(tf.constant(array), tf.constant([rank]))]) == [sorted_down(array)[rank - 1]]


def test_bits_are_ordered_like_magnitudes():
    tiny = float(np.float32(1e-44))  # subnormal
    up = np.array([0.0, -0.0, tiny, -1e-30, 1.0, -1.5, 3e38, -np.inf, np.nan], "float32")
    bits = ops.convert_to_numpy(order_bits(up))
    assert bits[0] == bits[1] == 0
    assert (np.diff(bits[1:]) > 0).all()


@given(units=st.integers(1, 2**26), share=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=30)
def test_python_counts_what_the_backend_counts(units, share):
    assert int(ops.convert_to_numpy(kept([units], share))[0]) == kept_of(units, share)


def test_one_share_for_each_weight():
    assert ops.convert_to_numpy(kept([10, 10, 4], np.array([0.1, 0.5, 0.99], "float32"))).tolist() == [
        9,
        5,
        1,
    ]
