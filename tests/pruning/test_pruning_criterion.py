from __future__ import annotations

import functools
import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import NM, Blocks, Criterion, Magnitude, Random, Unstructured
from trimtab.testing._demand import compiled

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
]

TINY = float(np.float32(1e-44))  # subnormal
SHAPES = [(3, 3, 8, 6), (20, 9), (4, 4)]
CRITERIA = [
    Criterion(*parts)
    for parts in itertools.product(
        ("unstructured", "4x1", "2:4"), ("magnitude", "random"), ("layer", "global")
    )
]


def weights(seed=0, shapes=SHAPES):
    random = np.random.default_rng(seed)
    return [
        random.normal(size=shape, scale=0.1 + index).astype("float32") for index, shape in enumerate(shapes)
    ]


@functools.lru_cache
def step(criterion):
    """Chooses masks in a compiled step, which JAX runs far faster than single operations."""
    return compiled(lambda share, *given: criterion.masks(given, share))


def masks(criterion, parts, share) -> list[np.ndarray]:
    found = step(criterion)(ops.convert_to_tensor(share, "float32"), *map(ops.convert_to_tensor, parts))
    return [ops.convert_to_numpy(ops.cast(one, "float32")) != 0 for one in found]


def keep(units: int, share: float) -> int:
    return max(int(np.round(np.float32(units) * (np.float32(1) - np.float32(share)))), 1)


# Settings


def test_names_are_made_into_parts():
    criterion = Criterion("4x1", "random", "global")
    assert (criterion.granularity, criterion.importance) == (Blocks(4, 1), Random())
    assert Criterion() == Criterion(Unstructured(), Magnitude(), "layer")


@pytest.mark.parametrize("ranking", ["globl", "layers", None, 3])
def test_an_unknown_ranking_is_refused(ranking):
    with pytest.raises(ConfigError, match="'layer' or 'global'"):
        Criterion(ranking=ranking)


@pytest.mark.parametrize("criterion", CRITERIA, ids=repr)
def test_keras_saves_and_loads_it(criterion):
    saved = keras.saving.serialize_keras_object(criterion)
    assert keras.saving.deserialize_keras_object(saved) == criterion


def test_an_unknown_setting_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'ranking'"):
        Criterion.from_config({**Criterion().get_config(), "rank": "layer"})


def test_it_is_frozen():
    with pytest.raises(AttributeError):
        Criterion().ranking = "global"


# Masks

numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, TINY, -TINY, 3.0e38, float("inf")]),
    st.floats(width=32, allow_nan=False),
)
arrays = hnp.arrays(np.float32, st.sampled_from([(7,), (2, 3, 5)]), elements=numbers)


@given(parts=st.lists(arrays, min_size=1, max_size=3), share=st.floats(0, 0.999))
@settings(deadline=None, max_examples=12)
def test_global_ranking_keeps_what_a_sort_of_all_keeps(parts, share):
    """The best of each weight stays; among the others the largest do, and all ties."""
    sizes = [np.abs(part) for part in parts]
    total = sum(size.size for size in sizes)
    best = [np.where(size == size.max(), np.inf, size) for size in sizes]
    together = np.sort(np.concatenate([size.reshape(-1) for size in best]))[::-1]
    threshold = together[max(keep(total, share), len(parts)) - 1]
    for found, size in zip(masks(Criterion(ranking="global"), parts, share), best, strict=True):
        np.testing.assert_array_equal(found, size >= threshold)


@given(part=arrays, share=st.floats(0, 0.999), kind=st.sampled_from(["unstructured", "1x2", "1:2"]))
@settings(deadline=None, max_examples=12)
def test_for_one_weight_global_ranking_is_ranking_by_layer(part, share, kind):
    part = part.reshape(1, -1) if kind == "1x2" else part.reshape(-1, 1)
    one, other = (masks(Criterion(kind, ranking=ranking), [part], share) for ranking in ("layer", "global"))
    np.testing.assert_array_equal(one[0], other[0])


@given(share=st.floats(0, 0.999), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=15)
def test_without_ties_the_number_that_stays_is_exact(share, seed):
    parts = weights(seed)
    for found in masks(Criterion(), parts, share):
        assert found.sum() == keep(found.size, share)
    found = masks(Criterion(ranking="global"), parts, share)
    assert sum(one.sum() for one in found) == max(keep(sum(one.size for one in found), share), len(found))


@pytest.mark.parametrize("criterion", CRITERIA, ids=repr)
def test_what_went_is_gone_at_a_higher_sparsity(criterion):
    parts = weights()
    found = [masks(criterion, parts, share) for share in (0.0, 0.2, 0.45, 0.5, 0.8, 0.97, 0.999)]
    for low, high in itertools.pairwise(found):
        for before, after in zip(low, high, strict=True):
            assert (after <= before).all()
    assert all(one.all() for one in found[0])
    assert all(one.any() for one in found[-1]), "a layer lost all its weights"


@pytest.mark.parametrize("criterion", CRITERIA, ids=repr)
def test_the_numbers_asked_for_come_out(criterion):
    parts, axes = weights(), [-2] * len(SHAPES)
    for share in (0.0, 0.2, 0.45, 0.5, 0.8, 0.97):
        zeros = [int((~one).sum()) for one in masks(criterion, parts, share)]
        assert criterion.total_zeros(SHAPES, axes, share) == sum(zeros) or "x" in criterion.granularity.name
        assert criterion.total_zeros(SHAPES, axes, share) <= sum(zeros)
        assert criterion.zeros(SHAPES, axes, share) in (None, zeros)


@pytest.mark.parametrize("ranking", ["layer", "global"])
@pytest.mark.parametrize("importance", ["magnitude", lambda weight: ops.square(weight)], ids=["name", "own"])
def test_the_order_of_the_weights_does_not_matter(ranking, importance):
    random = np.random.default_rng(5)
    parts = weights()
    orders = [random.permutation(part.size) for part in parts]
    criterion = Criterion("unstructured", importance, ranking)
    plain = masks(criterion, [part.reshape(-1) for part in parts], 0.6)
    shuffled = masks(
        criterion, [part.reshape(-1)[order] for part, order in zip(parts, orders, strict=True)], 0.6
    )
    for one, other, order in zip(plain, shuffled, orders, strict=True):
        np.testing.assert_array_equal(one[order], other)


def test_a_layer_that_matters_less_loses_more_when_ranked_globally():
    small, _, large = masks(Criterion(ranking="global"), weights(), 0.5)
    assert small.mean() < 0.35
    assert large.mean() > 0.7


def test_ties_all_stay():
    parts = [np.ones((4, 4), "float32"), np.zeros((8, 4), "float32")]
    for kind in ("unstructured", "4x1", "2:4"):
        first, last = masks(Criterion(kind), parts, 0.4)
        assert first.all()
        assert last.all()
    first, last = masks(Criterion(ranking="global"), parts, 0.7)
    assert first.all()
    assert last.all(), "the best of a weight of zeros is zero: all of it ties"


def test_a_share_for_each_weight():
    shares = np.array([0.0, 0.5, 0.9], "float32")
    found = masks(Criterion(), weights(), ops.convert_to_tensor(shares))
    assert [one.sum() for one in found] == [
        keep(one.size, share) for one, share in zip(found, shares, strict=True)
    ]
    assert Criterion().zeros(SHAPES, [-2] * 3, shares.tolist()) == [int((~one).sum()) for one in found]


def test_a_share_for_each_weight_of_a_pattern():
    parts = weights(shapes=[(8, 4), (8, 4)])
    first, last = masks(Criterion("2:4"), parts, ops.convert_to_tensor([0.25, 0.5]))
    assert (int((~first).sum()), int((~last).sum())) == (8, 16)


@pytest.mark.parametrize(
    "shares", [[0.1, 0.2, 0.3], np.array([0.1, 0.2, 0.3], "float32")], ids=["list", "array"]
)
def test_a_share_for_each_weight_is_refused_when_ranked_globally(shares):
    with pytest.raises(ConfigError, match="share one sparsity"):
        Criterion(ranking="global").masks(list(map(ops.convert_to_tensor, weights())), shares)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["unstructured", "4x1", "2:4"])
def test_narrow_floats(dtype, kind):
    parts = [ops.cast(ops.convert_to_tensor(part), dtype) for part in weights()]
    wide = [ops.convert_to_numpy(ops.cast(part, "float32")) for part in parts]
    found = Criterion(kind).masks(parts, 0.4)
    assert all(one.dtype == part.dtype for one, part in zip(found, parts, strict=True))
    for one, other in zip(found, masks(Criterion(kind), wide, 0.4), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(ops.cast(one, "float32")) != 0, other)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 unless it is switched on")
@pytest.mark.parametrize("kind", ["unstructured", "1:2", "2x1-max"])
def test_wide_floats_are_ranked_by_all_their_digits(kind):
    values = 1 + np.arange(8).reshape(8, 1) * 1e-12  # equal in float32
    found = Criterion(kind).masks([ops.convert_to_tensor(values, "float64")], 0.5)
    expected = [0, 1] * 4 if kind == "1:2" else [0] * 4 + [1] * 4
    assert ops.convert_to_numpy(found[0])[:, 0].tolist() == expected


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 unless it is switched on")
def test_mixed_floats_cannot_be_ranked_globally():
    parts = [ops.ones((3,), "float64"), ops.ones((3,), "float32")]
    with pytest.raises(ConfigError, match="one kind of float"):
        Criterion(ranking="global").masks(parts, 0.5)


def test_the_tiniest_numbers_are_ranked():
    part = np.array([TINY, 0.0, 2 * TINY, -3 * TINY, -0.0, 4 * TINY], "float32")
    (found,) = masks(Criterion(), [part], 0.5)
    assert found.tolist() == [False, False, True, True, False, True]
    (found,) = masks(Criterion("1:2"), [part.reshape(6, 1)], 0.5)
    assert found[:, 0].tolist() == [True, False, False, True, False, True]


@pytest.mark.parametrize("criterion", CRITERIA, ids=repr)
def test_a_compiled_step_gives_the_same(criterion):
    parts = weights()
    outside = criterion.masks(list(map(ops.convert_to_tensor, parts)), 0.3)
    for one, other in zip(outside, masks(criterion, parts, 0.3), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one) != 0, other)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compiles by XLA on TensorFlow")
@pytest.mark.parametrize("kind", ["unstructured", "3x2", "2:4"])
def test_xla_on_tensorflow_gives_the_same(kind):
    import tensorflow as tf

    parts, criterion = weights(), Criterion(kind, ranking="global")
    xla = tf.function(lambda *given: criterion.masks(given, 0.4), jit_compile=True)
    for one, other in zip(xla(*map(tf.constant, parts)), masks(criterion, parts, 0.4), strict=True):
        np.testing.assert_array_equal(one.numpy() != 0, other)


def test_variables_are_taken_too():
    variable = keras.Variable(weights()[1])
    (found,) = Criterion().masks([variable], 0.5)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(found) != 0, masks(Criterion(), [weights()[1]], 0.5)[0]
    )


@pytest.mark.parametrize("part", [Unstructured(), Blocks(2, 2), NM(1, 2)], ids=lambda part: part.name)
def test_a_single_weight_is_one_unit(part):
    assert masks(Criterion(Unstructured()), [np.ones((1, 1), "float32")], 0.99)[0].all()
    assert part.refuses((1, 1), -2) is None or part.refuses((1, 1), -2)
