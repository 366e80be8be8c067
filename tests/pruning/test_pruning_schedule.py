from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import ConstantSparsity, KeepZeros, PolynomialSparsity


def due(schedule, last):
    steps = np.arange(1, last + 1, dtype="int32")
    return steps[ops.convert_to_numpy(schedule.updates(ops.convert_to_tensor(steps)))].tolist()


def tfmot_due(begin, end, frequency, last):
    """`_should_prune_in_step` of TensorFlow Model Optimization 0.8, for each step."""
    return [
        step
        for step in range(1, last + 1)
        if step >= begin and (end < 0 or step <= end) and (step - begin) % frequency == 0
    ]


def tfmot_polynomial(initial, final, begin, end, power, step):
    """`PolynomialDecay.__call__` of TensorFlow Model Optimization 0.8, in NumPy float32."""
    p = np.float32(step - begin) / np.float32(end - begin)
    p = np.float32(min(1.0, max(0.0, p)))
    left = np.power(np.float32(1) - p, np.float32(power))
    return np.float32(initial - final) * left + np.float32(final)


@given(
    begin=st.integers(0, 20), length=st.integers(1, 60), frequency=st.integers(1, 30), endless=st.booleans()
)
@settings(deadline=None, max_examples=15)
def test_updates_are_those_of_tfmot_and_one_at_the_end(begin, length, frequency, endless):
    end = -1 if endless else begin + length
    expected = set(tfmot_due(begin, end, frequency, 90)) | ({end} if end > 0 else set())
    assert due(ConstantSparsity(0.5, begin, end, frequency), 90) == sorted(expected)
    if not endless:
        assert due(PolynomialSparsity(0, 0.5, begin, end, frequency=frequency), 90) == sorted(expected)


@given(
    initial=st.floats(0, 0.5), more=st.floats(0, 0.49), begin=st.integers(0, 50), length=st.integers(1, 2000),
    power=st.sampled_from([1, 2, 3, 0.5]), step=st.integers(1, 3000),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_the_climb_is_that_of_tfmot(initial, more, begin, length, power, step):
    schedule = PolynomialSparsity(initial, initial + more, begin, begin + length, power=power)
    expected = tfmot_polynomial(initial, initial + more, begin, begin + length, power, step)
    np.testing.assert_allclose(ops.convert_to_numpy(schedule.at(step)), expected, rtol=0, atol=1.2e-7)


def test_constant_sparsity_with_begin_zero_waits_for_its_frequency():
    assert due(ConstantSparsity(0.5, frequency=4), 12) == [4, 8, 12]
    assert ConstantSparsity(0.5, frequency=4).reached_at == 4
    assert ConstantSparsity(0.5, end=3, frequency=4).reached_at == 3
    assert ConstantSparsity(0.5, begin=2, frequency=4).reached_at == 2


def test_keep_zeros_chooses_once():
    assert due(KeepZeros(), 20) == [1]
    assert KeepZeros().target is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConstantSparsity(1.0), "sparsity=1.0"),
        (lambda: ConstantSparsity(-0.1), "sparsity=-0.1"),
        (lambda: ConstantSparsity(float("nan")), "sparsity=nan"),
        (lambda: ConstantSparsity("0.5"), "sparsity='0.5'"),
        (lambda: ConstantSparsity(True), "sparsity=True"),
        (lambda: ConstantSparsity(0.5, begin=-1), "begin=-1"),
        (lambda: ConstantSparsity(0.5, begin=5, end=5), "begin=5, end=5"),
        (lambda: ConstantSparsity(0.5, end=-2), "end=-2"),
        (lambda: ConstantSparsity(0.5, frequency=0), "frequency=0"),
        (lambda: ConstantSparsity(0.5, frequency=2.5), "2.5"),
        (lambda: PolynomialSparsity(0.0, 0.8, 10, -1), "begin=10, end=-1"),
        (lambda: PolynomialSparsity(0.9, 0.8, 0, 10), "initial=0.9 is above final=0.8"),
        (lambda: PolynomialSparsity(0.0, 0.8, 0, 10, power=0), "power=0"),
        (lambda: PolynomialSparsity(0.0, 1.5, 0, 10), "final=1.5"),
    ],
)
def test_values_that_make_no_sense_are_named(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_config_without_a_needed_value_is_refused():
    with pytest.raises(ConfigError, match="PolynomialSparsity cannot be made"):
        PolynomialSparsity.from_config({"initial": 0.0})


def test_numpy_numbers_become_plain_ones():
    schedule = ConstantSparsity(np.float64(0.5), begin=np.int64(3))
    assert schedule.get_config() == {"sparsity": 0.5, "begin": 3, "end": -1, "frequency": 100}
    assert type(schedule.begin) is int
