"""What every sparsity schedule must do, whoever wrote it: add yours to `SCHEDULES`."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import ConstantSparsity, KeepZeros, PolynomialSparsity, Schedule

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]

SCHEDULES = [
    ConstantSparsity(0.5),
    ConstantSparsity(0.75, begin=3, end=40, frequency=7),
    ConstantSparsity(0.0, begin=1, end=2, frequency=1),
    PolynomialSparsity(0.0, 0.8, begin=0, end=100, frequency=10),
    PolynomialSparsity(0.3, 0.95, begin=5, end=64, power=1, frequency=7),
    PolynomialSparsity(0.2, 0.2, begin=0, end=1, frequency=100),
    PolynomialSparsity(0.1, 0.9, begin=2, end=33, power=2.5, frequency=3),
    KeepZeros(),
]


def in_graph(function):
    """Compiles a function of a step counter as a training step is compiled on this backend."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


@pytest.fixture(params=SCHEDULES, ids=repr)
def schedule(request) -> Schedule:
    return request.param


STEPS = np.arange(1, 251, dtype="int32")


def values(schedule: Schedule) -> list[float]:
    found = ops.convert_to_numpy(schedule.at(ops.convert_to_tensor(STEPS)))
    return np.broadcast_to(found, STEPS.shape).tolist()


def updates(schedule: Schedule) -> list[int]:
    return STEPS[ops.convert_to_numpy(schedule.updates(ops.convert_to_tensor(STEPS)))].tolist()


def test_the_sparsity_is_a_share_of_zeros(schedule):
    assert all(0 <= value < 1 for value in values(schedule))


def test_the_sparsity_never_falls(schedule):
    found = values(schedule)
    assert all(before <= after for before, after in itertools.pairwise(found))


def test_the_final_sparsity_is_reached_by_an_update_where_the_schedule_says(schedule):
    made = updates(schedule)
    assert made, "a schedule that never updates prunes nothing"
    assert schedule.reached_at in made
    if schedule.target is not None:
        last = float(ops.convert_to_numpy(schedule.at(schedule.reached_at)))
        assert last == float(np.float32(schedule.target))


def test_the_config_makes_the_same_schedule(schedule):
    assert type(schedule).from_config(schedule.get_config()) == schedule


def test_keras_saves_and_loads_it(schedule):
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule)) == schedule


def test_an_unknown_setting_is_refused(schedule):
    with pytest.raises(ConfigError, match="no setting 'frequenzy'"):
        type(schedule).from_config({**schedule.get_config(), "frequenzy": 3})


def test_a_compiled_step_sees_what_python_sees(schedule):
    value, due = in_graph(schedule.at), in_graph(schedule.updates)
    for step in (1, 3, 10, 33, 64, 99, 200):
        counter = ops.convert_to_tensor(step, "int32")
        compiled = ops.convert_to_numpy(value(counter))
        plain = ops.convert_to_numpy(schedule.at(step))
        assert compiled.dtype == np.float32
        # A compiler may fuse a multiplication and an addition: one unit in the last place.
        np.testing.assert_allclose(compiled, plain, rtol=2e-7, atol=1e-7)
        assert bool(due(counter)) == bool(schedule.updates(step))


def test_it_is_frozen(schedule):
    with pytest.raises(AttributeError):
        schedule.begin = 7
