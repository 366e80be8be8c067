"""Feature maps of several sizes made comparable, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from trimtab.distillation import attention
from trimtab.distillation._maps import area_matrix, as_map, pooled


def as_numpy(value: Any) -> Any:
    return np.asarray(ops.convert_to_numpy(value))


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.data())
def test_areas_keep_the_mean(size: int, data: Any) -> None:
    to = data.draw(st.integers(1, size))
    matrix = area_matrix(size, to)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(matrix.mean(axis=0), 1 / size, rtol=1e-4)
    assert (matrix >= 0).all()


def test_areas_by_hand() -> None:
    np.testing.assert_allclose(area_matrix(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], rtol=1e-6)
    np.testing.assert_array_equal(area_matrix(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])


def test_pooling_is_average_pooling_where_that_divides() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype(np.float32)
    blocks = maps.reshape(2, 3, 2, 2, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(as_numpy(pooled(ops.convert_to_tensor(maps), (3, 2))), blocks, rtol=1e-5)
    same = ops.convert_to_tensor(maps)
    assert pooled(same, (6, 4)) is same


@pytest.mark.parametrize("size", [(6, 4), (3, 2), (2, 3)])
def test_attention_is_the_scaled_mean_of_squares(size: tuple[int, int]) -> None:
    maps = np.random.default_rng(1).normal(size=(2, 6, 4, 3)).astype(np.float32)
    energy = (maps.astype(np.float64) ** 2).mean(axis=-1)
    energy = np.einsum("oi,bij->boj", area_matrix(6, size[0]), energy)
    energy = np.einsum("oj,bij->bio", area_matrix(4, size[1]), energy).reshape(2, -1)
    wanted = energy / np.linalg.norm(energy, axis=1, keepdims=True)
    found = as_numpy(attention(ops.convert_to_tensor(maps), size))
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_a_dead_map_is_no_nan() -> None:
    dead = ops.zeros((2, 4, 4, 3))
    np.testing.assert_array_equal(as_numpy(attention(dead, (4, 4))), np.zeros((2, 16)))


@pytest.mark.parametrize(
    ("shape", "first", "wanted"),
    [
        ((2, 5), False, (2, 1, 1, 5)),
        ((2, 7, 5), False, (2, 7, 1, 5)),
        ((2, 5, 7), True, (2, 7, 1, 5)),
        ((2, 3, 4, 5), False, (2, 3, 4, 5)),
        ((2, 5, 3, 4), True, (2, 3, 4, 5)),
    ],
)
def test_all_features_become_maps(shape: Any, first: bool, wanted: Any) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = as_numpy(as_map(ops.convert_to_tensor(values), first))
    assert found.shape == wanted
    np.testing.assert_array_equal(
        found.reshape(-1), (np.moveaxis(values, 1, -1) if first else values).ravel()
    )
