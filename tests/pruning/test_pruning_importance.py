from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import Criterion, FunctionImportance, Magnitude, Random, Taylor, importance

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
]


def own(weight):
    return ops.square(weight)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("magnitude", Magnitude()),
        ("random", Random(seed=0)),
        ("taylor", Taylor(decay=0.9)),
        (Random(3), Random(3)),
        (own, FunctionImportance(own)),
    ],
)
def test_names(value, expected):
    assert importance(value) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("magnitud", "Did you mean 'magnitude'"),
        (3, "but got 3"),
        (None, "but got None"),
        (Magnitude, "got <class"),
    ],
)
def test_what_is_no_importance(value, said):
    with pytest.raises(ConfigError, match=said):
        importance(value)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0"])
def test_seeds_that_make_no_sense(seed):
    with pytest.raises(ConfigError, match="seed of 0 or more"):
        Random(seed)


@pytest.mark.parametrize("decay", [1, -0.1, float("nan"), "0.9", True])
def test_decays_that_make_no_sense(decay):
    with pytest.raises(ConfigError, match="decay from 0"):
        Taylor(decay)


def test_random_scores_hang_on_seed_and_place_only():
    weight = ops.ones((50,))
    scores = {
        (seed, index): ops.convert_to_numpy(Random(seed).score(weight, index))
        for seed in (0, 1)
        for index in (0, 1)
    }
    assert len({values.tobytes() for values in scores.values()}) == 4
    np.testing.assert_array_equal(scores[0, 1], ops.convert_to_numpy(Random(0).score(weight * 7, 1)))


def test_taylor_averages_gradient_times_weight():
    weight, memory = ops.convert_to_tensor([1.0, -2.0, 0.0]), ops.zeros((3,))
    for gradient in ([1.0, 1.0, 1.0], [-3.0, 0.0, 5.0]):
        memory = Taylor(decay=0.5).observe(memory, weight, ops.convert_to_tensor(gradient))
    np.testing.assert_allclose(ops.convert_to_numpy(memory), [0.25 + 1.5, 0.5, 0.0])
    np.testing.assert_array_equal(
        ops.convert_to_numpy(Taylor().score(weight, 0, memory)), ops.convert_to_numpy(memory)
    )


def test_taylor_takes_a_kernel_with_one_long_axis():
    """Which Keras' sum takes for a bias on TensorFlow: a Conv1D with one filter of length 1."""
    weight = ops.ones((1, 4, 1))
    memory = Taylor(decay=0.0).observe(ops.zeros((1, 4, 1)), weight, weight)
    assert ops.convert_to_numpy(Taylor().score(weight, 0, memory)).ravel().tolist() == [1.0] * 4


def test_taylor_observes_in_the_precision_of_its_memory():
    half = ops.cast(ops.convert_to_tensor([300.0]), "float16")  # the product overflows in float16
    memory = Taylor(decay=0.0).observe(ops.zeros((1,)), half, half)
    assert ops.convert_to_numpy(memory).tolist() == [90000.0]


def test_taylor_without_gradients_is_refused():
    with pytest.raises(ConfigError, match="needs gradients"):
        Criterion(importance="taylor").masks([ops.ones((3,))], 0.5)


def test_where_no_gradient_was_seen_the_magnitude_decides():
    weight = ops.convert_to_tensor(np.arange(8, dtype="float32"))
    memory = ops.convert_to_tensor([1e-12, 0, 0, 0, 0, 0, 0, 0], "float32")  # seven dead weights
    (mask,) = Criterion(importance="taylor").masks([weight], 0.5, memories=[memory])
    assert ops.convert_to_numpy(mask).tolist() == [1, 0, 0, 0, 0, 1, 1, 1]


def test_scores_below_zero_count_as_zero():
    weight = ops.convert_to_tensor([-3.0, 1.0, 2.0, -5.0])
    (mask,) = Criterion(importance=lambda values: values).masks([weight], 0.5)
    assert ops.convert_to_numpy(mask).tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("function", "said"),
    [(lambda weight: ops.sum(weight), r"shape \(\)"), (lambda weight: ops.cast(weight, "int32"), "int32")],
)
def test_a_function_that_does_not_give_scores_is_refused(function, said):
    with pytest.raises(ConfigError, match=said):
        Criterion(importance=function).masks([ops.ones((3, 2))], 0.5)


class Scorer:
    def __call__(self, weight):
        return ops.abs(weight)


SAVED = [
    (own, "own"),
    (lambda weight: ops.abs(weight), "<lambda>"),
    (functools.partial(own), "partial"),
    (Scorer(), "Scorer"),
    (ops.abs, "abs"),
]


@pytest.mark.parametrize(("function", "name"), SAVED, ids=[name for _, name in SAVED])
def test_a_function_is_saved_by_name_and_given_when_loading(function, name):
    saved = keras.saving.serialize_keras_object(FunctionImportance(function))
    assert saved["config"] == {"function": name}
    with pytest.raises(ConfigError, match=f"custom_objects=.'{name}'"):
        keras.saving.deserialize_keras_object(saved)
    loaded = keras.saving.deserialize_keras_object(saved, custom_objects={name: function})
    assert loaded == FunctionImportance(function)


@keras.saving.register_keras_serializable(package="importance_tests")
def registered(weight):
    return ops.abs(weight)


def test_a_registered_function_needs_no_custom_objects():
    saved = keras.saving.serialize_keras_object(FunctionImportance(registered))
    assert keras.saving.deserialize_keras_object(saved) == FunctionImportance(registered)


@pytest.mark.parametrize("function", [None, 3, "os.system", float])
def test_what_is_no_function_is_refused(function):
    with pytest.raises(ConfigError, match="needs a function"):
        FunctionImportance(function)


@pytest.mark.parametrize("name", [None, 3, {"class_name": "Dense"}, "builtins.eval"])
def test_a_config_makes_no_function_out_of_nothing(name):
    with pytest.raises(ConfigError, match="not saved"):
        FunctionImportance.from_config({"function": name})
