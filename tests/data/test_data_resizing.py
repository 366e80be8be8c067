"""Resizing on the fly: what Pillow and TensorFlow make of an image, the same in every way to feed a model."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trimtab.data import Augmentation, Split, batches, load_data, sample_sheet
from trimtab.data._batches import Plan
from trimtab.data._image_data import ImageData, digest_of
from trimtab.data._resizing import filter_matrix, resized
from trimtab.errors import ConfigError, DataError

ALL = Augmentation(flip=True, shift=2, cutout=3)
SIZES = [((6, 5), (20, 30)), ((13, 17), (6, 5)), ((8, 8), (8, 3)), ((1, 4), (5, 4)), ((32, 32), (31, 33))]


def pixels(count: int, height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), np.uint8)


def split_of(size=(9, 11), count=50, stored=(6, 5), input_range=(0.0, 1.0)) -> Split:
    return Split(pixels(count, *stored), np.arange(count) % 7, input_range, size)


def pillow(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    planes = [
        np.asarray(Image.fromarray(image[..., channel]).resize(size[::-1], Image.Resampling.BILINEAR))
        for channel in range(image.shape[2])
    ]
    return np.stack(planes, axis=2)


@pytest.mark.parametrize(("stored", "size"), SIZES)
def test_it_is_what_pillow_does(stored, size):
    images = pixels(3, *stored).astype(np.float32) / 255
    want = np.stack([pillow(image, size) for image in images])
    np.testing.assert_allclose(resized(images, size), want, atol=1e-5)


@pytest.mark.parametrize(("stored", "size"), SIZES)
def test_it_is_what_tensorflow_does(stored, size):
    tf = pytest.importorskip("tensorflow")
    images = pixels(3, *stored).astype(np.float32) / 255
    want = tf.image.resize(images, size, method="bilinear", antialias=True).numpy()
    np.testing.assert_allclose(resized(images, size), want, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40))
def test_the_weights_are_means_and_look_the_same_from_both_ends(source, target):
    weights = filter_matrix(source, target)
    assert weights.shape == (target, source)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-6)
    if source == target:
        np.testing.assert_array_equal(weights, np.eye(source))


@pytest.mark.parametrize("input_range", [(0.0, 1.0), (-1.0, 1.0)])
def test_a_split_gives_inputs_of_its_size(input_range):
    split = split_of((20, 30), input_range=input_range)
    assert split.image_shape == (20, 30, 3)
    given = split.inputs()
    assert given.shape == (50, 20, 30, 3)
    assert given.dtype == np.float32
    low, high = input_range
    want = np.stack([pillow(image.astype(np.float32) / 255, (20, 30)) for image in split.images])
    np.testing.assert_allclose(given, want * (high - low) + low, atol=1e-5)
    np.testing.assert_array_equal(split.inputs(7, 9), given[7:9])
    taken = split.take([3, 1])
    assert taken.image_shape == (20, 30, 3)
    np.testing.assert_array_equal(taken.inputs(), given[[3, 1]])


def test_a_size_that_changes_nothing_is_none():
    plain, asked = split_of(None), split_of((6, 5))
    assert asked.size is None
    np.testing.assert_array_equal(plain.inputs(), asked.inputs())
    names = tuple("abcdefg")
    assert digest_of({"train": plain}, names) == digest_of({"train": asked}, names)
    assert digest_of({"train": plain}, names) != digest_of({"train": split_of((6, 6))}, names)
    assert digest_of({"train": split_of((5, 6))}, names) != digest_of({"train": split_of((6, 6))}, names)


@pytest.mark.parametrize("size", [(0, 5), (5,), (2.5, 3), "ab", 7])
def test_sizes_that_make_no_sense(size):
    with pytest.raises(ConfigError, match="needs \\(height, width\\)"):
        split_of(size)


def test_too_many_at_once_are_refused(monkeypatch):
    monkeypatch.setattr("trimtab.data._limits._machine_memory", lambda: 200_000)
    split = split_of((20, 30))
    assert split.inputs(0, 4).shape == (4, 20, 30, 3)
    with pytest.raises(DataError, match=r"50 images at 20x30 pixels would take .* Ask for fewer at a time"):
        split.inputs()


@pytest.mark.parametrize("augmentation", [None, ALL])
def test_batches_augment_the_stored_pixels_and_resize_then(augmentation):
    big, small = split_of(), split_of(None)
    for step in range(4):
        images, labels = Plan(big, 16, 3, 1, 1, augmentation or Augmentation()).batch(step)[:2]
        before, wanted = Plan(small, 16, 3, 1, 1, augmentation or Augmentation()).batch(step)[:2]
        np.testing.assert_allclose(images, resized(before, (9, 11)), atol=1e-6)
        np.testing.assert_array_equal(labels, wanted)


@pytest.mark.parametrize("size", [(9, 11), (4, 3)])
@pytest.mark.parametrize("input_range", [(0, 1), (-1, 1)])
def test_tensorflow_batches_agree(size, input_range):
    pytest.importorskip("tensorflow")
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip(f"the active backend is {keras.backend.backend()}")
    split = split_of(size, input_range=input_range)
    stream = batches(split, 16, seed=3, epochs=2, first_epoch=1, augmentation=ALL)
    assert stream.element_spec[0].shape.as_list() == [None, *size, 3]
    plan = Plan(split, 16, 3, 2, 1, ALL)
    count = 0
    for number, (images, labels) in enumerate(stream):
        want, numbers = plan.batch(number)[:2]
        np.testing.assert_allclose(images.numpy(), want, atol=1e-5)
        np.testing.assert_array_equal(labels.numpy(), numbers)
        count += 1
    assert count == 8


def test_batches_of_other_backends_come_in_order_and_again():
    from trimtab.data._keras_batches import KerasBatches

    plan = Plan(split_of(), 16, 3, 3, 0, ALL)
    stream = KerasBatches(plan)
    for number in (*range(12), 3, 4, 0, 11):
        images, labels = stream[number][:2]
        want, numbers = plan.batch(number)[:2]
        np.testing.assert_array_equal(images, want)
        np.testing.assert_array_equal(labels, numbers)
    with pytest.raises(IndexError):
        stream[12]


CODE = """
import keras, numpy as np
from trimtab.data import Augmentation, Split, batches
pixels = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)
split = Split(pixels, np.arange(40) % 7, (0, 1), (9, 8))
model = keras.Sequential([keras.Input((9, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(7)])
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
seen = []
class Watch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        seen.append(batch)
stream = batches(split, 16, seed=1, epochs=2, augmentation=Augmentation(True, 1, 2))
model.fit(stream, epochs=2, steps_per_epoch=3, shuffle=False, verbose=0, callbacks=[Watch()],
          validation_data=batches(split, 16))
assert seen == [0, 1, 2] * 2, seen
"""


@pytest.mark.parametrize("backend", ["jax"])
def test_fit_on_other_backends(backend):
    pytest.importorskip(backend)
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr[-2000:]
    assert "ran out of data" not in run.stderr


def test_load_data_keeps_the_small_images():
    now = load_data("digits", size=(24, 20))
    late = load_data("digits", size=(24, 20), resize="on-the-fly")
    assert late.image_shape == now.image_shape == (24, 20, 1)
    assert late.train.images.shape[1:] == (8, 8, 1)
    assert late.describe()["stored_shape"] == [8, 8, 1]
    assert late.describe()["image_shape"] == [24, 20, 1]
    # Resized once, pixels are rounded to one of 256, along each side of the image.
    np.testing.assert_allclose(late.test.inputs(0, 50), now.test.inputs(0, 50), atol=1.1 / 255)
    assert len({late.digest, now.digest, load_data("digits").digest}) == 3
    assert load_data("digits", size=(8, 8), resize="on-the-fly").digest == load_data("digits").digest


def test_ways_of_resizing_that_make_no_sense():
    with pytest.raises(ConfigError, match="Did you mean 'on-the-fly'"):
        load_data("digits", size=(16, 16), resize="onthefly")
    with pytest.raises(ConfigError, match="needs a size"):
        load_data("digits", resize="on-the-fly")


def test_the_sample_sheet_says_what_is_kept(tmp_path, monkeypatch):
    from PIL import ImageDraw

    written: list[str] = []
    text = ImageDraw.ImageDraw.text

    def spy(self, xy, words, *more, **options):
        written.append(str(words))
        return text(self, xy, words, *more, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    data: ImageData = load_data("digits", size=(96, 96), resize="on-the-fly")
    assert sample_sheet(data, tmp_path / "sheet.png", columns=2).stat().st_size > 500
    assert any("96x96 grey (kept at 8x8)" in line for line in written)


def test_a_model_is_trained_calibrated_and_measured_at_the_size(tmp_path):
    """From loading to the int8 file, everything that feeds a model gives it the size that was asked for."""
    import trimtab

    data = load_data("digits", size=(12, 12), resize="on-the-fly", limit=200)
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(4,), dense=0)
    trimtab.train(model, data, epochs=1)
    trimtab.export(model, tmp_path / "digits.tflite", scheme="int8", data=data, calibration=20)
    result = trimtab.benchmark(
        {"float": model, "int8": tmp_path / "digits.tflite"}, data, rounds=5, seconds=0.05, memory=False
    )
    assert all(row.measurements["accuracy"].value is not None for row in result.rows)
