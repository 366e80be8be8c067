from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from trimtab.errors import ConfigError
from trimtab.pruning import NM, Blocks, Criterion, Unstructured, granularity
from trimtab.testing._demand import compiled

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # in Keras
]


@functools.lru_cache
def step(kind, axis):
    """Chooses masks in a compiled step, which JAX runs far faster than single operations."""
    return compiled(lambda weight, share: Criterion(kind).masks([weight], share, axes=[axis])[0])


def mask(kind, weight, share, axis=-2) -> np.ndarray:
    found = step(kind, axis)(ops.convert_to_tensor(weight), ops.convert_to_tensor(share, "float32"))
    return ops.convert_to_numpy(found) != 0


def random(shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# Names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unstructured", Unstructured()),
        (" Unstructured ", Unstructured()),
        ("1x1", Unstructured()),
        ("4x1", Blocks(4, 1)),
        ("2x3-max", Blocks(2, 3, "max")),
        ("2:4", NM(2, 4)),
        (NM(1, 3), NM(1, 3)),
    ],
)
def test_names(name, expected):
    assert granularity(name) == expected
    assert granularity(granularity(name).name) == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("unstructerd", "Did you mean 'unstructured'"),
        ("4x", "such as '4x1'"),
        ("x4", "such as '4x1'"),
        ("2:", "'2:4'"),
        ("2/4", "'2:4'"),
        ("-1x4", "such as '4x1'"),
        ("4:4", "n must be smaller"),
        ("5:4", "n must be smaller"),
        ("0:4", "n as a whole number of 1 or more"),
        ("0x4", "height as a whole number of 1 or more"),
        (4, "but got 4"),
        (None, "but got None"),
    ],
)
def test_what_is_no_granularity(value, said):
    with pytest.raises(ConfigError, match=said):
        granularity(value)


@pytest.mark.parametrize("arguments", [(0, 1), (1, -2), (2.0, 1), (True, 1), (2, 2, "sum")])
def test_blocks_that_make_no_sense(arguments):
    with pytest.raises(ConfigError, match="Blocks needs"):
        Blocks(*arguments)


@pytest.mark.parametrize("arguments", [(4, 4), (5, 4), (0, 2), (1.5, 2), (-1, 4)])
def test_patterns_that_make_no_sense(arguments):
    with pytest.raises(ConfigError, match=r"whole number|smaller"):
        NM(*arguments)


# Where they fit


@pytest.mark.parametrize(
    ("kind", "shape", "axis", "said"),
    [
        ("4x1", (3, 3, 1, 32), -2, "does not fit into 1 inputs by 32 outputs"),
        ("1x8", (10, 5), -2, "does not fit into 10 inputs by 5 outputs"),
        ("4x1", (3, 3, 8, 2), -1, "does not fit into 2 inputs by 8 outputs"),
        ("1x4", (3, 3, 8, 1), None, "does not fit"),
        ("2x2", (7,), None, "inputs and outputs"),
        ("2:4", (3, 3, 8, 1), None, "none to sum over"),
        ("2:4", (3, 3, 3, 16), -2, "at least 4 input channels, but the weight has 3"),
    ],
)
def test_weights_that_are_refused(kind, shape, axis, said):
    assert said in granularity(kind).refuses(shape, axis)


@pytest.mark.parametrize(
    ("kind", "shape", "axis"),
    [
        ("unstructured", (7,), None),
        ("4x1", (3, 3, 8, 1), None),  # channels of a depthwise kernel
        ("4x4", (5, 7), -2),
        ("2:4", (5, 7), -2),
        ("2:4", (3, 3, 5, 8), -1),
    ],
)
def test_weights_that_are_taken(kind, shape, axis):
    assert granularity(kind).refuses(shape, axis) is None


# Blocks


def test_a_block_at_the_edge_is_judged_by_the_weights_it_has():
    weight = np.array([[1.0, 1, 1, 1, 9]], "float32").T  # blocks of 4 and of 1
    assert mask(Blocks(4, 1), weight, 0.5)[:, 0].tolist() == [False] * 4 + [True]
    weight = np.array([[2.0, 2, 2, 2, 1]], "float32").T
    assert mask(Blocks(4, 1), weight, 0.5)[:, 0].tolist() == [True] * 4 + [False]


def test_a_block_of_a_convolution_lies_at_one_position():
    weight = np.ones((2, 1, 4, 2), "float32")
    weight[1] = 0.1
    weight[1, 0, 2:, 1] = 5
    found = mask(Blocks(2, 1), weight, 0.375)
    assert found[0].all()
    assert found[1, 0].tolist() == [[False, False], [False, False], [False, True], [False, True]]


def test_the_inputs_of_a_transposed_convolution_come_last():
    weight = random((3, 3, 4, 8))
    turned = np.swapaxes(weight, -1, -2)
    found = mask(Blocks(4, 2), weight, 0.5, axis=-1)
    np.testing.assert_array_equal(found, np.swapaxes(mask(Blocks(4, 2), turned, 0.5), -1, -2))
    found = mask(NM(2, 4), weight, 0.5, axis=-1)
    np.testing.assert_array_equal(found, np.swapaxes(mask(NM(2, 4), turned, 0.5), -1, -2))


def test_pooling_by_the_largest():
    weight = np.array([[0.0, 5], [2, 2]], "float32").T  # averages 2.5 and 2
    assert mask(Blocks(2, 1), weight, 0.5).tolist() == [[True, False], [True, False]]
    weight = np.array([[0.0, 3], [2, 2]], "float32").T  # averages 1.5 and 2, largest 3 and 2
    assert mask(Blocks(2, 1), weight, 0.5).tolist() == [[False, True], [False, True]]
    assert mask(Blocks(2, 1, "max"), weight, 0.5).tolist() == [[True, False], [True, False]]


@given(
    block=st.sampled_from([(4, 1), (1, 3), (2, 3), (4, 4)]),
    shape=st.sampled_from([(5, 9), (2, 3, 5, 4)]),
    share=st.floats(0, 0.99),
    seed=st.integers(0, 5),
)
@settings(deadline=None, max_examples=20)
def test_blocks_are_whole_and_counted(block, shape, share, seed):
    (height, width), kind = block, Blocks(*block)
    found = mask(kind, random(shape, seed), share)
    flat = found.reshape(-1, *shape[-2:])
    alive = 0
    for image in flat:
        for row in range(0, shape[-2], height):
            for column in range(0, shape[-1], width):
                block = image[row : row + height, column : column + width]
                assert block.all() or not block.any()
                alive += bool(block.all())
    units = kind.units(shape, -2)
    assert alive == max(int(np.round(np.float32(units) * (np.float32(1) - np.float32(share)))), 1)


# N:M


def groups(found: np.ndarray, m: int) -> list[np.ndarray]:
    """The groups along the inputs, the last may be short."""
    rows = np.moveaxis(found, -2, -1).reshape(-1, found.shape[-2])
    return [row[start : start + m] for row in rows for start in range(0, row.size, m)]


@given(
    pattern=st.sampled_from([(2, 4), (1, 2), (3, 5), (1, 16)]),
    shape=st.sampled_from([(16, 3), (21, 2), (2, 2, 17, 3)]),
    share=st.floats(0, 0.99),
    seed=st.integers(0, 5),
)
@settings(deadline=None, max_examples=20)
def test_no_group_loses_more_than_its_pattern_and_in_the_end_each_has_it(pattern, shape, share, seed):
    n, m = pattern
    weight = random(shape, seed)
    for group in groups(mask(NM(n, m), weight, share), m):
        assert (~group).sum() <= max(len(group) - n, 0)
    for group in groups(mask(NM(n, m), weight, 1 - n / m), m):
        assert group.sum() == min(n, len(group))


def test_the_pattern_follows_the_schedule():
    weight = np.array([[1.0, 2, 3, 4, 50, 60, 70, 80]], "float32").T
    zeros = [np.flatnonzero(~mask("2:4", weight, share)).tolist() for share in (0, 0.125, 0.25, 0.375, 0.5)]
    assert zeros == [[], [0], [0, 1], [0, 1, 4], [0, 1, 4, 5]]


def test_of_equal_weights_in_a_group_the_first_stay():
    assert mask("2:4", np.ones((8, 1), "float32"), 0.5)[:, 0].tolist() == [True, True, False, False] * 2
    weight = np.array([[1.0, -2, 2, 2]], "float32").T
    assert mask("2:4", weight, 0.5)[:, 0].tolist() == [False, True, True, False]


def test_large_groups():
    weight = random((300, 2))
    found = mask(NM(100, 150), weight, 1 / 3)
    for group, size in zip(groups(found, 150), groups(np.abs(weight), 150), strict=True):
        np.testing.assert_array_equal(group, size >= np.sort(size)[50])


def test_the_pattern_is_complete_where_float32_cannot_count():
    """Of 50 million weights float32 would keep one too many."""
    criterion = Criterion("1:3")
    assert criterion.granularity.zeros((3, 16_777_217), -2, 1 - 1 / 3) == 2 * 16_777_217


# As TensorFlow Model Optimization


def tfmot_blocks(weight: np.ndarray, height: int, width: int, share: float, pooling: str) -> np.ndarray:
    """Its block masks for a matrix that the block divides, in NumPy."""
    tiles = np.abs(weight).reshape(weight.shape[0] // height, height, weight.shape[1] // width, width)
    pooled = tiles.mean(axis=(1, 3)) if pooling == "average" else tiles.max(axis=(1, 3))
    keep = max(int(np.round(np.float32(pooled.size) * (np.float32(1) - np.float32(share)))), 1)
    threshold = np.sort(pooled, axis=None)[::-1][keep - 1]
    return np.kron(pooled >= threshold, np.ones((height, width))) > 0


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("block", [(4, 1), (1, 4), (4, 8)])
def test_blocks_equal_tfmots(block, pooling):
    for seed, share in enumerate((0.0, 0.3, 0.5, 0.8, 0.97)):
        weight = random((16, 24), seed)
        if seed % 2:
            weight = np.round(weight * 2) / 2  # many ties
        found = mask(Blocks(*block, pooling), weight, share)
        np.testing.assert_array_equal(found, tfmot_blocks(weight, *block, share, pooling))


def tfmot_m_by_n(weight: np.ndarray, zeros: int, size: int) -> np.ndarray:
    """Its masks with `zeros` zeros in each `size` weights along the inputs, in NumPy."""
    rows = np.moveaxis(np.abs(weight), -2, -1)  # inputs last, as in a .tflite file
    flat = rows.reshape(-1, rows.shape[-1])
    padded = np.pad(flat, [(0, 0), (0, size - flat.shape[1] % size)]).reshape(-1, size)
    chosen = np.zeros(padded.shape, bool)
    best = np.argsort(-padded, axis=1, kind="stable")[:, : size - zeros]  # top_k: of equal ones the first
    np.put_along_axis(chosen, best, values=True, axis=1)
    chosen = chosen.reshape(flat.shape[0], -1)[:, : flat.shape[1]]
    return np.moveaxis(chosen.reshape(rows.shape), -1, -2)


@pytest.mark.parametrize("shape", [(8, 5), (3, 3, 4, 6), (2, 2, 7, 3)], ids=str)
@pytest.mark.parametrize(("zeros", "size"), [(2, 4), (1, 2), (3, 4)])
def test_patterns_equal_tfmots(shape, zeros, size):
    for seed in range(3):
        weight = random(shape, seed)
        if seed:
            weight = np.round(weight)  # many ties, and zeros
        found = mask(NM(size - zeros, size), weight, zeros / size)
        np.testing.assert_array_equal(found, tfmot_m_by_n(weight, zeros, size))


# Numbers that are asked for


@pytest.mark.parametrize("kind", ["unstructured", "4x1", "3x2", "2:4", "3:5"])
@pytest.mark.parametrize("shape", [(12, 16), (7, 5), (3, 3, 9, 4)], ids=str)
def test_asked_zeros_are_the_fewest_that_can_come_out(kind, shape):
    part = granularity(kind)
    for seed, share in enumerate((0.0, 0.1, 0.4, 0.5, 0.8, 0.99)):
        zeros = int((~mask(kind, random(shape, seed), share)).sum())
        fewest = part.zeros(shape, -2, share)
        assert zeros == fewest if "x" not in kind else zeros >= fewest
        assert zeros / np.prod(shape) <= part.limit(shape, -2) + 1e-9


def test_cut_blocks_count_for_fewer():
    assert Blocks(4, 1).unit_sizes((6, 3), -2) == {4: 3, 2: 3}
    assert Blocks(4, 1).zeros((6, 3), -2, 0.5) == 6  # three of six blocks: at least the three of two weights
    assert NM(2, 4).unit_sizes((7, 2), -2) == {1: 6}
    assert NM(2, 4).limit((7, 2), -2) == 6 / 14


def test_blocks_that_tie_do_so_in_a_compiled_step_too():
    # TensorFlow compiles x / 4 to x * reciprocal(4), and its reciprocal of a long constant is not exact.
    def choose(weight):
        return Criterion("4x1").masks([weight], 0.95)[0]

    compiled = choose
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(choose)
    elif keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(choose)
    weight = ops.convert_to_tensor(np.full((144, 96), 0.75, "float32"))
    assert ops.convert_to_numpy(compiled(weight)).all()
