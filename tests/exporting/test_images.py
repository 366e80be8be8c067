from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.errors import ConfigError
from trimtab.exporting._images import calibration_images, parity_images, stratified


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    count=st.integers(1, 200),
    seed=st.integers(0, 1000),
)
def test_every_class_has_its_share(sizes, count, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    chosen = stratified(labels, count, seed)
    assert len(chosen) == min(count, len(labels))
    assert len(set(chosen.tolist())) == len(chosen)
    share = min(count / len(labels), 1)
    for label, size in enumerate(sizes):
        assert abs((labels[chosen] == label).sum() - share * size) <= 2


def test_the_seed_decides():
    labels = np.arange(1000) % 10
    np.testing.assert_array_equal(stratified(labels, 50, 3), stratified(labels, 50, 3))
    assert stratified(labels, 50, 3).tolist() != stratified(labels, 50, 4).tolist()


def test_calibration_is_by_training_images(digits):
    images, record, chosen = calibration_images(digits, 50, 0)
    np.testing.assert_array_equal(images, digits.train.inputs()[chosen])
    assert (record["images"], record["asked"], record["part"], record["seed"]) == (50, 50, "train", 0)
    assert record["digest"] == calibration_images(digits, 50, 0)[1]["digest"]
    assert record["digest"] != calibration_images(digits, 50, 1)[1]["digest"]
    assert set(digits.train.labels[chosen]) == set(range(10))
    assert record["per_class"] == np.bincount(digits.train.labels[chosen]).tolist()


@pytest.mark.parametrize("count", [0, -5, 9, 2.5, True])
def test_a_senseless_number_is_refused(digits, count):
    with pytest.raises(ConfigError, match="calibration is a number of training images"):
        calibration_images(digits, count, 0)


def test_images_that_cannot_stand_for_the_others_are_refused(digits):
    zeros = dataclasses.replace(digits, train=digits.train.take(digits.train.labels == 0))
    with pytest.raises(ConfigError, match=r"All 50 calibration images are of class '0'.*other 9"):
        calibration_images(zeros, 50, 0)
    few = dataclasses.replace(digits, train=digits.train.take(slice(0, 6)))
    with pytest.raises(ConfigError, match=r"has 6 training image\(s\) to calibrate with; at least 10"):
        calibration_images(few, 50, 0)


def test_without_data_there_is_no_calibration():
    with pytest.raises(ConfigError, match="Give data="):
        calibration_images(None, 100, 0)


def test_the_proof_is_on_validation_images(digits):
    images, part = parity_images(digits, (8, 8, 1), 0)
    assert part == "validation"
    assert len(images) == min(500, len(digits.validation))


def test_without_validation_images_the_proof_is_on_training_images_that_did_not_calibrate(digits):
    bare = dataclasses.replace(
        digits, train=digits.train.take(slice(0, 120)), validation=digits.validation.take([])
    )
    _, _, used = calibration_images(bare, 100, 0)
    images, part = parity_images(bare, (8, 8, 1), 0, used)
    assert part == "train"
    assert len(images) == 20
    everything = calibration_images(bare, 120, 0)[2]
    assert len(parity_images(bare, (8, 8, 1), 0, everything)[0]) == 120


def test_without_data_the_proof_is_on_random_images():
    images, part = parity_images(None, (5, 6, 3), 0)
    assert part == "random"
    assert images.shape == (64, 5, 6, 3)
    assert images.dtype == np.float32
