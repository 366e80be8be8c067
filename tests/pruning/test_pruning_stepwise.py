from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import IterativeSparsity, OneShotSparsity, TabulatedSparsity
from trimtab.pruning.schedules._stepwise import share_after

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]


def due(schedule, last):
    steps = np.arange(1, last + 1, dtype="int32")
    return steps[ops.convert_to_numpy(schedule.updates(ops.convert_to_tensor(steps)))].tolist()


def at(schedule, steps):
    found = ops.convert_to_numpy(schedule.at(ops.convert_to_tensor(np.asarray(steps, "int32"))))
    return np.broadcast_to(found, (len(steps),))


def test_one_shot_prunes_once():
    assert due(OneShotSparsity(0.5), 50) == [1]
    assert due(OneShotSparsity(0.5, step=7), 50) == [7]
    assert OneShotSparsity(0.5, step=7).reached_at == 7


@given(final=st.floats(0, 0.99), rounds=st.integers(1, 12), begin=st.integers(0, 9), every=st.integers(1, 20))
@settings(deadline=None, max_examples=15)
def test_rounds_remove_the_same_share_of_what_is_left(final, rounds, begin, every):
    schedule = IterativeSparsity(final, rounds, begin, every)
    begins = [begin + number * every for number in range(rounds)]
    assert due(schedule, 260) == sorted({max(step, 1) for step in begins})
    density = 1 - at(schedule, begins).astype("float64")
    wanted = [(1 - final) ** ((number + 1) / rounds) for number in range(rounds)]
    np.testing.assert_allclose(density, wanted, atol=1e-6)
    assert float(ops.convert_to_numpy(schedule.at(schedule.reached_at))) == np.float32(final)


def test_rounds_may_begin_from_zeros_that_are_there():
    shares = [share_after(number, 2, 0.875, 0.5) for number in (1, 2)]
    assert shares == pytest.approx([0.75, 0.875])
    assert shares[-1] == 0.875
    assert share_after(1, 3, 0.5, 0.5) == 0.5


@given(
    begin=st.integers(0, 20), length=st.integers(0, 90), frequency=st.integers(1, 40), power=st.floats(0.2, 4)
)
@settings(deadline=None, max_examples=15)
def test_a_function_is_met_at_each_update_and_at_the_end(begin, length, frequency, power):
    end = begin + length

    def climb(step: int) -> float:
        assert type(step) is int
        return 0.9 * ((step - begin) / max(length, 1)) ** power

    schedule = TabulatedSparsity.from_function(climb, begin=begin, end=end, frequency=frequency)
    planned = [*range(begin, end, frequency), end]
    assert due(schedule, 130) == sorted({max(step, 1) for step in planned})
    np.testing.assert_allclose(at(schedule, planned), [climb(step) for step in planned], atol=1e-6)
    assert float(ops.convert_to_numpy(schedule.at(schedule.reached_at))) == np.float32(schedule.target)
    assert schedule.reached_at in due(schedule, 130)
    assert schedule.target == climb(end)


def test_a_plateau_is_reached_where_it_begins():
    schedule = TabulatedSparsity.from_function(lambda step: min(0.5, step / 100), end=200, frequency=10)
    assert schedule.reached_at == 50


def test_a_table_is_plain_data():
    schedule = TabulatedSparsity.from_function(lambda step: step / 1000, begin=5, end=98, frequency=10)
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    assert keras.saving.deserialize_keras_object(saved) == schedule
    assert TabulatedSparsity.from_config(json.loads(json.dumps(schedule.get_config()))) == schedule
    assert repr(schedule).startswith("TabulatedSparsity([0.005, 0.015, 0.025, ..., 0.095, 0.098], begin=5")


def test_rounding_errors_are_no_fall():
    assert TabulatedSparsity([0.5, 0.5 - 1e-9, 0.6]).values == (0.5, 0.5, 0.6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OneShotSparsity(1.0), "sparsity=1.0"),
        (lambda: OneShotSparsity(0.5, step=0), "step=0"),
        (lambda: IterativeSparsity(0.5, 0, 1, 10), "rounds=0"),
        (lambda: IterativeSparsity(0.5, 3, -1, 10), "begin=-1"),
        (lambda: IterativeSparsity(0.5, 3, 1, 0), "every=0"),
        (lambda: IterativeSparsity(0.5, 1.5, 1, 10), "1.5"),
        (lambda: TabulatedSparsity([]), "at least one"),
        (lambda: TabulatedSparsity("0.5"), "a list of shares"),
        (lambda: TabulatedSparsity([0.5, 1.0]), "got 1.0 at step 100"),
        (lambda: TabulatedSparsity([0.5, float("nan")]), "got nan"),
        (lambda: TabulatedSparsity([0.5, None]), "got None"),
        (lambda: TabulatedSparsity([0.5, 0.4]), "from 0.5 to 0.4 at step 100"),
        (lambda: TabulatedSparsity([0.5, 0.6], frequency=0), "frequency=0"),
        (lambda: TabulatedSparsity([0.5, 0.6], end=101), "due at step 100, but got end=101"),
        (lambda: TabulatedSparsity([0.5, 0.6], end=0), "end=0"),
        (lambda: TabulatedSparsity.from_function(lambda step: 0.5, begin=5, end=4), "end as a whole number"),
        (lambda: TabulatedSparsity.from_function(lambda step: 0.5, end=10.5), "10.5"),
        (lambda: TabulatedSparsity.from_function(lambda step: 1 / 0, end=10), "ZeroDivisionError"),
        (lambda: TabulatedSparsity.from_function(lambda step: 0.5, end=10**9), "at most 100000 values"),
    ],
)
def test_values_that_make_no_sense_are_named(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
