"""Splits: stratified, disjoint, complete, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.data import Split, from_arrays, load_data
from trimtab.data._splitting import allotted, stratified
from trimtab.errors import ConfigError, DataError

SIZES = st.lists(st.integers(2, 60), min_size=2, max_size=8)


def labels_of(sizes) -> np.ndarray:
    return np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))


@settings(deadline=None, max_examples=100)
@given(SIZES, st.floats(0.02, 0.9), st.integers(0, 5))
def test_disjoint_complete_and_in_proportion(sizes, share, seed):
    labels = labels_of(sizes)
    names = [str(number) for number in range(len(sizes))]
    count = max(round(len(labels) * share), 1)
    left, taken = stratified(labels, count, seed, "validation", names)
    assert sorted([*left, *taken]) == list(range(len(labels)))
    assert (np.diff(left) > 0).all()
    assert (np.diff(taken) > 0).all()
    got = np.bincount(labels[taken], minlength=len(sizes))
    ideal = np.array(sizes) * count / len(labels)
    bounded = np.clip(ideal, 1, np.array(sizes) - 1)
    # Only bounds (at least one taken, one left) may push a share further from its ideal than one image.
    slack = 1 + np.abs(bounded - ideal).sum()
    assert (np.abs(got - bounded) <= slack).all()
    assert (got >= 1).all()
    assert (got < sizes).all()
    again = stratified(labels, count, seed, "validation", names)
    np.testing.assert_array_equal(taken, again[1])


@settings(deadline=None, max_examples=100)
@given(SIZES, st.integers(0, 500), st.integers(0, 2))
def test_shares_add_up(sizes, count, spare):
    sizes = np.array(sizes)
    shares = allotted(sizes, count, spare)
    most = np.maximum(sizes - spare, 0)
    assert shares.sum() == np.clip(count, np.minimum(most, 1).sum(), most.sum())
    assert (shares <= most).all()


def test_equal_classes_give_equal_shares():
    assert allotted(np.full(10, 6000), 6000, 1).tolist() == [600] * 10


def test_seeds_and_purposes_draw_differently():
    labels = labels_of([50, 50])
    taken = [
        stratified(labels, 20, seed, purpose, ["a", "b"])[1].tolist()
        for seed, purpose in ((0, "validation"), (1, "validation"), (0, "test"))
    ]
    assert taken[0] != taken[1]
    assert taken[0] != taken[2]


def test_too_few_images():
    with pytest.raises(DataError, match="Class 'rare' has only 1 image; at least 2 are needed"):
        stratified(np.array([0, 0, 1]), 1, 0, "validation", ["common", "rare"])


def test_the_test_part_does_not_move_with_the_seed_of_the_validation(write_idx):
    folder = write_idx(train=60, test=10)
    first, second = load_data(folder, seed=0), load_data(folder, seed=1)
    np.testing.assert_array_equal(first.test.images, second.test.images)
    assert first.validation.images.tolist() != second.validation.images.tolist()
    assert first.digest != second.digest


def test_digits_split_is_disjoint_and_repeatable():
    first, second = load_data("digits", seed=3), load_data("digits", seed=3)
    assert first.digest == second.digest
    assert first.digest != load_data("digits", seed=4).digest
    assert first.digest != load_data("digits", seed=3, input_range=(-1, 1)).digest
    everything = np.concatenate([split.images for split in first._splits().values()])
    assert len(everything) == 1797


def test_no_validation_part(write_idx):
    data = load_data(write_idx(), validation=0)
    assert len(data.validation) == 0
    assert len(data.train) == 20
    assert data.describe()["sizes"]["validation"] == 0


@pytest.mark.parametrize(("limit", "train", "validation", "test"), [(40, 36, 4, 30), (1000, 54, 6, 30)])
def test_limit(write_idx, limit, train, validation, test):
    data = load_data(write_idx(train=60, test=30), limit=limit)
    assert (len(data.train), len(data.validation), len(data.test)) == (train, validation, test)


def test_inputs_are_scaled():
    images = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    split = Split(images, np.zeros(3, np.int64))
    assert split.inputs().ravel().tolist() == pytest.approx([0, 0.2, 1])
    assert split.inputs(1, 2).shape == (1, 1, 1, 1)
    both = Split(images, np.zeros(3, np.int64), (-1, 1))
    assert both.inputs().ravel().tolist() == pytest.approx([-1, -0.6, 1])
    assert both.inputs().dtype == np.float32
    assert both.take([2, 0]).images.ravel().tolist() == [255, 0]
    assert both.take([2]).input_range == (-1, 1)
    fractions = Split(images.astype(np.float32) / 255, np.zeros(3, np.int64), (-1, 1))
    assert fractions.inputs().ravel().tolist() == pytest.approx([-1, -0.6, 1])


def test_a_split_checks_its_arrays():
    good = np.zeros((2, 3, 3, 1), np.uint8)
    with pytest.raises(DataError, match="it needs"):
        Split(good[..., 0], np.zeros(2, np.int64))
    with pytest.raises(DataError, match="it needs"):
        Split(good.astype(np.float64), np.zeros(2, np.int64))
    with pytest.raises(DataError, match="for 2 images; it needs"):
        Split(good, np.zeros(3, np.int64))
    with pytest.raises(ConfigError, match="low < high"):
        Split(good, np.zeros(2, np.int64), (1.0, 1.0))


def test_describe_is_plain_data():
    import json

    record = load_data("digits").describe()
    assert json.loads(json.dumps(record)) == record
    assert record["sizes"] == {"train": 1294, "validation": 144, "test": 359}
    assert sum(record["counts"]["train"]) == 1294


def test_arrays_of_ones_own():
    random = np.random.default_rng(0)
    images, labels = random.random((30, 6, 6, 3)), [0, 1, 2] * 10
    data = from_arrays((images, labels), class_names=("a", "b", "c"), name="mine")
    assert data.counts() == {"train": (7, 7, 7), "validation": (1, 1, 1), "test": (2, 2, 2)}
    assert data.train.images.dtype == np.float32
    whole = from_arrays((images, labels), (images[:9], labels[:9]), validation=(images[:6], labels[:6]))
    assert (len(whole.train), len(whole.validation), len(whole.test)) == (30, 6, 9)
    with pytest.raises(DataError, match=r"mine .test."):
        from_arrays((images, labels), (images[:9], labels), name="mine")


@pytest.mark.parametrize("size", [(4, 4), (16, 12)])
def test_resizing_arrays(size, write_npz):
    images = np.repeat(np.arange(20, dtype=np.uint8), 64).reshape(20, 8, 8)
    path = write_npz(images=images, labels=np.arange(20) % 2)
    data = load_data(path, size=size, channels=3)
    assert data.image_shape == (*size, 3)
    assert (data.train.images == data.train.images[:, :1, :1, :1]).all()
    fractions = load_data(write_npz("f.npz", images=images / 255, labels=np.arange(20) % 2), size=size)
    assert fractions.train.images.dtype == np.float32
    np.testing.assert_allclose(fractions.train.images * 255, data.train.images[..., :1], atol=1e-4)


def test_more_memory_than_there_is(write_npz, monkeypatch):
    monkeypatch.setattr("trimtab.data._limits._machine_memory", lambda: 2**20)
    path = write_npz(images=np.ones((20, 8, 8), np.uint8), labels=np.arange(20) % 2)
    with pytest.raises(DataError, match="Choose a smaller size"):
        load_data(path, size=(256, 256))
