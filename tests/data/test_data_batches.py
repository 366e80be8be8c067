"""Batches and augmentation: pure functions of seed, epoch and image, the same on every backend."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.data import Augmentation, Split, batches
from trimtab.data._augmentation import augmented, drawn
from trimtab.data._batches import Plan
from trimtab.errors import ConfigError, DataError

ALL = Augmentation(flip=True, shift=2, cutout=3)


def a_split(count=50, size=(6, 5, 3), input_range=(0.0, 1.0), dtype="uint8") -> Split:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *size), np.uint8)
    if dtype == "float32":
        images = (images / 255).astype(np.float32)
    return Split(images, np.arange(count) % 7, input_range)


def plan_of(split, batch_size=16, seed=0, epochs=1, first_epoch=0, augmentation=None) -> Plan:
    return Plan(split, batch_size, seed, epochs, first_epoch, augmentation or Augmentation())


def stream(plan: Plan) -> list[tuple[np.ndarray, np.ndarray]]:
    return [plan.batch(number) for number in range(plan.epochs * plan.steps)]


def same(first, second) -> bool:
    pairs = list(zip(first, second, strict=True))
    return all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in pairs)


def test_in_order_without_a_seed():
    split = a_split()
    images, labels = zip(*stream(plan_of(split, seed=None)), strict=True)
    assert [len(batch) for batch in images] == [16, 16, 16, 2]
    np.testing.assert_array_equal(np.concatenate(images), split.inputs())
    np.testing.assert_array_equal(np.concatenate(labels), split.labels)


def test_each_epoch_holds_every_image_once_in_another_order():
    plan = plan_of(a_split(), epochs=3)
    orders = [plan.order(epoch) for epoch in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("augmentation", [None, ALL])
def test_a_resumed_stream_is_the_unbroken_one(augmentation):
    split = a_split()
    whole = stream(plan_of(split, epochs=4, augmentation=augmentation))
    rest = stream(plan_of(split, epochs=2, first_epoch=2, augmentation=augmentation))
    assert same(whole[8:], rest)
    assert not same(whole[:8], rest)


def test_what_happens_to_an_image_does_not_depend_on_its_batch():
    split = a_split(48)
    seen = {}
    for size in (4, 48):
        plan = plan_of(split, size, augmentation=ALL)
        seen[size] = np.concatenate([images for images, _ in stream(plan)])
    np.testing.assert_array_equal(seen[4], seen[48])


def by_hand(image, flip, shift, centre, cutout):
    """What the words say, pixel by pixel."""
    height, width = image.shape[:2]
    source = image[:, ::-1] if flip else image
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            from_row, from_column = row - shift[0], column - shift[1]
            if 0 <= from_row < height and 0 <= from_column < width:
                result[row, column] = source[from_row, from_column]
            if cutout:
                top, left = centre[0] - cutout // 2, centre[1] - cutout // 2
                if top <= row < top + cutout and left <= column < left + cutout:
                    result[row, column] = 0
    return result


@settings(deadline=None, max_examples=30)
@given(st.booleans(), st.integers(0, 9), st.integers(0, 9), st.integers(0, 1000))
def test_augmentation_does_what_it_says(flip, shift, cutout, seed):
    images = a_split(6).images
    flips, shifts, centres = drawn(Augmentation(flip, shift, cutout), images.shape, seed, 0)
    got = augmented(images, flips, shifts, centres, cutout)
    want = [by_hand(*case, cutout) for case in zip(images, flips, shifts, centres, strict=True)]
    np.testing.assert_array_equal(got, np.array(want))


def test_draws_are_fair_and_within_bounds():
    flips, shifts, centres = drawn(Augmentation(True, 2, 3), (20000, 6, 5, 3), 0, 0)
    assert flips.mean() == pytest.approx(0.5, abs=0.02)
    for axis, most in enumerate((6, 5)):
        assert np.bincount(centres[:, axis], minlength=most) / 20000 == pytest.approx(
            [1 / most] * most, abs=0.02
        )
        assert np.bincount(shifts[:, axis] + 2) / 20000 == pytest.approx([0.2] * 5, abs=0.02)


def test_nothing_happens_by_default():
    images = a_split().images
    assert not Augmentation()
    flips, shifts, centres = drawn(Augmentation(), images.shape, 0, 0)
    np.testing.assert_array_equal(augmented(images, flips, shifts, centres, 0), images)


@pytest.mark.parametrize("options", [{"shift": -1}, {"cutout": -1}, {"shift": 1.5}, {"cutout": True}])
def test_augmentations_that_make_no_sense(options):
    with pytest.raises(ConfigError, match="needs a number of pixels"):
        Augmentation(**options)


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"epochs": 0}, {"first_epoch": -1}, {"seed": -1}, {"augmentation": ALL}]
)
def test_batches_that_make_no_sense(options):
    with pytest.raises(ConfigError):
        batches(a_split(), **options)


def test_no_images_no_batches():
    with pytest.raises(DataError, match="holds no images"):
        batches(a_split().take([]))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("input_range", [(0, 1), (-1, 1), (-0.42, 2.8)])
@pytest.mark.parametrize("augmentation", [None, ALL])
def test_tensorflow_gives_the_same_bits(dtype, input_range, augmentation):
    tf = pytest.importorskip("tensorflow")
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip(f"the active backend is {keras.backend.backend()}")
    split = a_split(input_range=input_range, dtype=dtype)
    options = {"seed": 3, "epochs": 2, "first_epoch": 1, "augmentation": augmentation}
    dataset = batches(split, 16, **options)
    assert isinstance(dataset, tf.data.Dataset)
    assert dataset.options().autotune.enabled is False
    assert dataset.cardinality().numpy() == 8
    assert dataset.element_spec[0].shape.as_list() == [None, 6, 5, 3]
    got = [(images.numpy(), labels.numpy()) for images, labels in dataset]
    assert same(got, stream(plan_of(split, 16, **options)))
    assert got[0][0].dtype == np.float32
    assert got[0][1].dtype == np.int32


CODE = """
import hashlib, math
import numpy as np
import keras
from trimtab.data import Augmentation, Split, batches

random = np.random.default_rng(0)
split = Split(random.integers(0, 256, (50, 6, 5, 3), np.uint8), np.arange(50) % 7)
class Watching(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(7)

    def call(self, images):
        return self.dense(keras.ops.reshape(images, (-1, 90)))

def stream():
    return batches(split, 16, seed=1, epochs=2, augmentation=Augmentation(True, 2, 3))

digest = hashlib.sha256()
data = stream()
items = data if hasattr(data, "cardinality") else (data[index] for index in range(len(data)))
for images, labels in items:
    digest.update(np.asarray(images).tobytes() + np.asarray(labels).tobytes())
keras.utils.set_random_seed(0)
model = Watching()
model.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
history = model.fit(
    stream(), epochs=2, steps_per_epoch=4, shuffle=False, verbose=0, validation_data=batches(split, 16)
)
loss = model.evaluate(batches(split, 16), verbose=0)
predicted = model.predict(batches(split, 16), verbose=0)
assert predicted.shape == (50, 7)
assert len(history.history["val_loss"]) == 2
assert abs(history.history["val_loss"][-1] - loss) < 1e-5
print(keras.backend.backend(), digest.hexdigest(), "%.4f" % loss)
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_fit_evaluate_and_predict_on_each_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    run = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:keras", "-c", textwrap.dedent(CODE)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    assert "ran out of data" not in run.stderr
    digest = hashlib.sha256()
    split = Split(np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), np.uint8), np.arange(50) % 7)
    for images, labels in stream(plan_of(split, seed=1, epochs=2, augmentation=ALL)):
        digest.update(images.tobytes() + labels.tobytes())
    name, seen, _ = run.stdout.split()
    assert (name, seen) == (backend, digest.hexdigest())
