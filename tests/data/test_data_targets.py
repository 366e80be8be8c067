"""What comes beside the images: targets in views, and weights; the same bits from each pipeline."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.data import Augmentation, Split, batches
from trimtab.data._batches import Draws, Plan
from trimtab.errors import ConfigError

ALL = Augmentation(flip=True, shift=2, cutout=3)


def a_split(count: int = 50) -> Split:
    random = np.random.default_rng(0)
    return Split(random.integers(0, 256, (count, 6, 5, 3), np.uint8), np.arange(count) % 7)


def plan_of(split: Split, **options) -> Plan:
    given = {"views": None, "targets": (), "sample_weight": None, **options}
    return Plan(split, 16, 0, 5, 1, ALL, given["views"], given["targets"], given["sample_weight"])


def stream(plan: Plan) -> list[tuple[np.ndarray, ...]]:
    return [plan.batch(number) for number in range(plan.epochs * plan.steps)]


@pytest.fixture
def given() -> dict:
    random = np.random.default_rng(1)
    targets = random.normal(size=(2, 50, 3)).astype(np.float32), random.random((2, 50, 4)).astype(np.float16)
    return {"views": 2, "targets": targets, "sample_weight": random.random(50)}


def test_each_image_has_the_row_of_its_view(given):
    split, plan = a_split(), plan_of(a_split(), **given)
    for epoch in range(1, 6):
        order = plan.order(epoch)
        found = stream(plan)[(epoch - 1) * plan.steps : epoch * plan.steps]
        told = np.concatenate([batch[1] for batch in found])
        assert told.dtype == np.float32
        np.testing.assert_array_equal(told[:, 0], split.labels[order])
        np.testing.assert_array_equal(told[:, 1:4], given["targets"][0][epoch % 2][order])
        np.testing.assert_array_equal(told[:, 4:], given["targets"][1][epoch % 2][order].astype(np.float32))
        weights = np.concatenate([batch[2] for batch in found])
        np.testing.assert_array_equal(weights, given["sample_weight"][order].astype(np.float32))


def test_epochs_of_a_view_show_the_same_images_in_another_order():
    plan = plan_of(a_split(), views=2)
    seen = []
    for epoch in range(1, 5):
        images = np.concatenate([batch[0] for batch in stream(plan)[(epoch - 1) * 4 : epoch * 4]])
        seen.append((plan.order(epoch), images[np.argsort(plan.order(epoch))]))
    np.testing.assert_array_equal(seen[0][1], seen[2][1])
    np.testing.assert_array_equal(seen[1][1], seen[3][1])
    assert not np.array_equal(seen[0][1], seen[1][1])
    assert not np.array_equal(seen[0][0], seen[2][0])
    unlimited = plan_of(a_split())
    np.testing.assert_array_equal(unlimited.batch(0)[0], plan_of(a_split(), views=9).batch(0)[0])


def test_tensorflow_gives_the_same_bits(given):
    pytest.importorskip("tensorflow")
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip(f"the active backend is {keras.backend.backend()}")
    split = a_split()
    options = {"seed": 0, "epochs": 5, "first_epoch": 1, "augmentation": ALL}
    for part in (given, {"views": 2}, {"sample_weight": given["sample_weight"]}):
        dataset = batches(split, 16, **options, **part)
        wanted = stream(plan_of(split, **part))
        for found, expected in zip(dataset, wanted, strict=True):
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one.numpy(), other)
    assert batches(split, 16, **options, **given).element_spec[1].shape.as_list() == [None, 8]


@pytest.mark.parametrize(
    "wrong",
    [
        {"views": 0},
        {"targets": (np.zeros((50, 3)),)},
        {"targets": (np.zeros((2, 50, 3)),)},
        {"views": 2, "targets": (np.zeros((2, 49, 3)),)},
        {"sample_weight": np.ones(49)},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError):
        plan_of(a_split(), **wrong)


@pytest.mark.parametrize("seed", [0, 4])
def test_a_part_shows_its_images_as_the_whole_does(seed):
    whole, places = a_split(), np.arange(3, 50, 4)
    part = whole.take(places)
    rows = np.arange(50, dtype=np.float32)[np.newaxis, :, np.newaxis]
    shown = {int(row[1]): image for images, labels in stream(plan_of(whole, targets=(rows,), views=1))
             for image, row in zip(images, labels, strict=True)}  # fmt: skip
    draws = Draws(0, 50, places)
    plan = Plan(part, 5, seed, 2, 1, ALL, 1, (rows[:, places],), draws=draws)
    given = stream(plan)
    for images, labels in given:
        for image, row in zip(images, labels, strict=True):
            np.testing.assert_array_equal(image, shown[int(row[1])])
    piped = batches(part, 5, seed=seed, epochs=2, first_epoch=1, augmentation=ALL, views=1,
                    targets=(rows[:, places],), draws=draws)  # fmt: skip
    for (images, labels), (other, told) in zip(given, piped, strict=True):
        np.testing.assert_array_equal(images, np.asarray(other))
        np.testing.assert_array_equal(labels, np.asarray(told))
