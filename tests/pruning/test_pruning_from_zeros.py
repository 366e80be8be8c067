from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.pruning import Criterion, PolynomialSparsity, PruningOptimizer
from trimtab.pruning._from_zeros import FromZeros, _share, floors
from trimtab.pruning.criteria._threshold import kept_of
from trimtab.pruning.where._where import choose_weights

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras on torch
]

SCHEDULE = PolynomialSparsity(0.1, 0.9, begin=0, end=5, frequency=2)


def sparse_model(*shares):
    layers = [keras.layers.Dense(16, use_bias=False, name=f"d{i}") for i in range(len(shares))]
    model = keras.Sequential([keras.Input((16,)), *layers])
    random = np.random.default_rng(0)
    for layer, share in zip(layers, shares, strict=True):
        kernel = random.normal(size=(16, 16)).astype("float32")
        kernel.flat[random.permutation(256)[: round(256 * share)]] = 0
        layer.kernel.assign(kernel)
    return model


@given(units=st.integers(2, 30_000_000), share=st.floats(0.001, 0.999))
@settings(deadline=None, max_examples=200)
def test_the_floor_takes_what_is_zero_and_hardly_more(units, share):
    gone = min(max(round(units * share), 1), units - 1)
    stay = kept_of(units, _share(gone, units))
    assert units - gone - max(3, units * 2e-6) <= stay <= units - gone


@pytest.mark.parametrize("ranking", ["layer", "global"])
def test_no_zero_comes_back_while_the_schedule_asks_for_less(ranking):
    model = sparse_model(0.5, 0.7)
    before = [np.array(layer.kernel) == 0 for layer in model.layers]
    criterion = Criterion(ranking=ranking)
    found = floors(choose_weights(model)[0], criterion, None)
    assert found == pytest.approx((0.5, 0.7) if ranking == "layer" else (0.6,), abs=0.002)
    optimizer = PruningOptimizer.for_model(
        model, keras.optimizers.SGD(1e-3), FromZeros(SCHEDULE, found), ranking=ranking
    )
    optimizer.build(model.trainable_variables)
    for layer, old in zip(model.layers, before, strict=True):  # nothing but the old zeros went
        assert np.array_equal(np.array(layer.kernel) == 0, old)
    random = np.random.default_rng(1)
    for _ in range(5):
        grads = [random.normal(size=(16, 16)).astype("float32") for _ in model.layers]
        optimizer.apply([keras.ops.convert_to_tensor(grad) for grad in grads])
        zeros = [np.array(layer.kernel) == 0 for layer in model.layers]
        assert sum(map(np.sum, zeros)) >= sum(map(np.sum, before))
    assert sum(map(np.sum, zeros)) >= 460


def test_what_is_whole_or_ranked_otherwise_has_no_floor():
    weights = choose_weights(sparse_model(0.0, 1.0))[0]
    assert floors(weights, Criterion(), None) == (0.0, 0.0)
    half = choose_weights(sparse_model(0.5))[0]
    assert floors(half, Criterion(importance="random"), None) == (0.0,)
    assert floors(half, Criterion("4x1"), None)[0] < 0.2  # hardly a block is zero as a whole
    assert floors(half, Criterion("2:4"), None)[0] == pytest.approx(0.4, abs=0.1)


def test_it_saves_and_loads():
    schedule = FromZeros(SCHEDULE, (0.25, 0.5))
    saved = keras.saving.serialize_keras_object(schedule)
    assert keras.saving.deserialize_keras_object(saved) == schedule
    assert (schedule.target, schedule.reached_at) == (0.9, 5)
    assert bool(schedule.updates(1))
    assert not bool(schedule.updates(3))
