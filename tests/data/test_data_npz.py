"""NumPy archives: what is understood, what is refused, and that nothing is unpickled."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest

from trimtab.data import load_data
from trimtab.errors import DataError

RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 256, (20, 4, 4), np.uint8)
Y = np.arange(20) % 2


@pytest.mark.parametrize(
    "keys",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X_train", "Y_train", "X_test", "Y_test"),
    ],
)
def test_names_with_a_test_part(write_npz, keys):
    data = load_data(write_npz(**dict(zip(keys, (X, Y, X[:6], Y[:6]), strict=True))))
    assert data.counts() == {"train": (9, 9), "validation": (1, 1), "test": (3, 3)}
    np.testing.assert_array_equal(data.test.images[..., 0], X[:6])


@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y"), ("x_train", "y_train")])
def test_names_without_a_test_part(write_npz, keys):
    data = load_data(write_npz(**dict(zip(keys, (X, Y), strict=True))))
    assert data.counts() == {"train": (7, 7), "validation": (1, 1), "test": (2, 2)}


def test_a_validation_part_is_taken_as_it_is(write_npz):
    path = write_npz(
        train_images=X, train_labels=Y, val_images=X[:5], val_labels=Y[:5, None], test_images=X, test_labels=Y
    )
    data = load_data(path)
    assert len(data.train) == 20
    np.testing.assert_array_equal(data.validation.images[..., 0], X[:5])


def test_class_names_come_along(write_npz):
    data = load_data(write_npz(images=X, labels=Y, class_names=np.array(["cat", "dog"])))
    assert data.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("images", "dtype", "expected"),
    [
        (X.astype(np.float64), np.uint8, X),
        (X.astype(np.int32), np.uint8, X),
        (X > 99, np.uint8, (X > 99) * np.uint8(255)),
        ((X / 255).astype(np.float32), np.float32, (X / 255).astype(np.float32)),
        ((X > 99).astype(np.float64), np.float32, (X > 99).astype(np.float32)),
    ],
    ids=["whole floats", "int32", "bool", "fractions", "zeros and ones"],
)
def test_pixel_types(write_npz, images, dtype, expected):
    data = load_data(write_npz(x_train=images, y_train=Y, x_test=images, y_test=Y))
    assert data.test.images.dtype == dtype
    np.testing.assert_array_equal(data.test.images[..., 0], expected)


def test_a_dark_test_part_is_judged_with_the_training_part(write_npz):
    dark = np.zeros((4, 4, 4), np.float32)
    data = load_data(write_npz(x_train=X.astype(np.float32), y_train=Y, x_test=dark, y_test=Y[:4]))
    assert data.test.images.dtype == np.uint8


def nan_in(index: int) -> np.ndarray:
    images = (X / 255).astype(np.float32)
    images[index, 1, 1] = np.nan
    return images


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (
            {"x_train": nan_in(17), "y_train": Y},
            r"1 of 20 images hold NaN or infinite pixels, the first is image 17",
        ),
        ({"x_train": X / 255 * 2 - 1, "y_train": Y}, "pixels go from -1 to 1"),
        ({"x_train": X / 100, "y_train": Y}, "the pixels are fractions between 0.* Divide them by 255"),
        ({"x_train": X.astype(np.uint16) * 100, "y_train": Y}, "the pixels go from .* np.clip"),
        ({"x_train": X.reshape(20, 16), "y_train": Y}, r"shape \(20, 16\).*reshape"),
        ({"x_train": np.zeros((20, 3, 8, 8), np.uint8), "y_train": Y}, "channels first"),
        ({"x_train": np.zeros((20, 8, 8, 4), np.uint8), "y_train": Y}, r"images\[..., :3\]"),
        ({"x_train": np.array(["a"] * 20).reshape(20, 1, 1), "y_train": Y}, "pixels are of type <U1"),
        ({"x_train": X, "y_train": Y - 1}, "label -1 .image 0. is negative"),
        ({"x_train": X, "y_train": Y + 0.5}, "label 0.5 .image 0. is not a whole number"),
        ({"x_train": X, "y_train": np.where(Y, np.nan, 0)}, "label nan .image 1. is not a whole number"),
        ({"x_train": X, "y_train": np.eye(2)[Y]}, "argmax"),
        ({"x_train": X, "y_train": Y * 1000}, "label 1000 is out of range"),
        ({"x_train": X, "y_train": Y + 1}, "class '0' has no training images"),
        ({"x_train": X, "y_train": Y * 0}, "one class only"),
        ({"x_train": X, "y_train": Y[:7]}, "20 images but 7 labels"),
        ({"x_train": X, "y_train": np.array(["a", "b"])[Y]}, "labels are of type <U1"),
        (
            {"x_train": X, "y_train": Y, "class_names": np.array(["only"])},
            "label 1 .image 1. is out of range",
        ),
        ({"x_train": X, "y_train": Y, "class_names": np.array(["a", "a"])}, "two classes have the same name"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :3], "y_test": Y},
            "images are 3x4 with 1 channel, those of",
        ),
        ({"x_train": X, "y_train": Y, "x_test": X / 255, "y_test": Y}, "pixels of different kinds"),
        ({"pixels": X, "classes": Y}, "holds the arrays classes, pixels; x_train and y_train"),
        ({"x_train": X[:3], "y_train": np.array([0, 0, 1])}, "Class '0' has only 2 images; at least 3"),
    ],
)
def test_bad_arrays(write_npz, arrays, said):
    path = write_npz(**arrays)
    with pytest.raises(DataError, match=said) as caught:
        load_data(path)
    assert "\n" not in str(caught.value)


class Trap:
    """Leaves a mark if it is ever unpickled."""

    mark = None

    def __reduce__(self):
        return (open, (Trap.mark, "w"))


@pytest.mark.parametrize("whole", [True, False], ids=["the file is a pickle", "an array is a pickle"])
def test_pickles_are_refused_and_not_run(tmp_path, whole):
    Trap.mark = str(tmp_path / "mark")
    path = tmp_path / "data.npz"
    if whole:
        path.write_bytes(pickle.dumps(Trap()))
    else:
        np.savez(path, x_train=np.array([Trap()], dtype=object), y_train=Y)
    with pytest.raises(DataError, match="not a whole zip archive" if whole else "pickled Python objects"):
        load_data(path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("cut", [0, 1, 50, 200, -1, -30])
def test_a_cut_archive(write_npz, cut):
    path = write_npz(x_train=X, y_train=Y)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"damaged|not a whole zip archive"):
        load_data(path)


def test_a_damaged_member(write_npz):
    path = write_npz(x_train=X, y_train=Y)
    content = bytearray(path.read_bytes())
    content[150] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        load_data(path)


def test_a_member_that_is_no_array(tmp_path):
    path = tmp_path / "text.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train", b"hello")
        archive.writestr("y_train", b"hello")
    with pytest.raises(DataError, match="x_train is no NumPy array"):
        load_data(path)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', (((",
        b"'''",
        b"{'descr': '|u1'",
        b"{'descr': 5, 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (10L, 4",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
        b"{[]: 1}",
        b"\xff\x00",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_broken_header(tmp_path, header):
    path = tmp_path / "header.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train.npy", "y_train.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match="damaged"):
        load_data(path)


def test_a_broken_deflate_stream(tmp_path):
    path = tmp_path / "broken.npz"
    np.savez_compressed(path, x_train=X, y_train=Y)
    content = bytearray(path.read_bytes())
    content[60:90] = b"\xff" * 30
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged|not a whole zip"):
        load_data(path)


def test_a_bomb_is_refused_before_it_unpacks(tmp_path):
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x_train.npy", "w") as member,
    ):
        for _ in range(70):
            member.write(b"\0" * 2**20)
    with pytest.raises(DataError, match="zip bomb"):
        load_data(path)


def test_blank_images_are_no_bomb(write_npz):
    images = np.zeros((100, 28, 28), np.uint8)
    images[:, 0, 0] = 1
    assert load_data(write_npz(x_train=images, y_train=np.arange(100) % 2)).classes == 2
