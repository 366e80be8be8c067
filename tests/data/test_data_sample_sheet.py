"""The sheet of samples: that every class has its row of pictures, whatever the images are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from trimtab.data import ImageData, from_arrays, load_data, sample_sheet
from trimtab.errors import ConfigError, OutputError


def sheet_of(data: ImageData, path, **options) -> np.ndarray:
    written = sample_sheet(data, path, **options)
    assert written == path
    with Image.open(written) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_pictures_of_each_class_are_on_it_with_sharp_pixels(tmp_path):
    images = np.zeros((40, 4, 4, 3), np.uint8)
    labels = np.arange(40) % 2
    images[labels == 0] = (250, 10, 20)
    images[labels == 1] = (10, 20, 250)
    sheet = sheet_of(
        from_arrays((images, labels), class_names=("red", "blue")), tmp_path / "sheet.png", columns=5
    )
    for colour in ((250, 10, 20), (10, 20, 250)):
        assert (sheet == colour).all(axis=2).sum() == pytest.approx(5 * 64 * 64, rel=0.05)


@pytest.mark.parametrize("shape", [(8, 8), (300, 200, 3), (1, 90)])
def test_any_size_and_fractions(tmp_path, shape):
    images = np.random.default_rng(0).random((30, *shape))
    data = from_arrays(
        (images, np.arange(30) % 3), class_names=("a", "a rather long name for a class " * 3, "ü")
    )
    sheet = sheet_of(data, tmp_path / "new" / "sheet.png")
    assert 300 < sheet.shape[1] < 1200
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 20


def test_a_class_with_fewer_images_than_columns_and_very_many_classes(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (400, 6, 6), np.uint8)
    many = from_arrays((images, np.arange(400) % 100))
    assert sheet_of(many, tmp_path / "many.png").shape[0] < 4000


def test_digits(tmp_path):
    digits = load_data("digits")
    first = sheet_of(digits, tmp_path / "1.png")
    np.testing.assert_array_equal(first, sheet_of(digits, tmp_path / "2.png"))
    assert sheet_of(digits, tmp_path / "3.png", columns=3).shape[1] < first.shape[1]


def test_what_cannot_be(tmp_path):
    digits = load_data("digits")
    with pytest.raises(ConfigError, match="columns is 0"):
        sample_sheet(digits, tmp_path / "sheet.png", columns=0)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        sample_sheet(digits, tmp_path / "file" / "sheet.png")
