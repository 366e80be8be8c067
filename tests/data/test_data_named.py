"""Named sets: where they are looked for, and what is said when none is found."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import trimtab.data._named as named
from trimtab.data import NAMED_SETS, load_data
from trimtab.errors import ConfigError, DataError, DataNotFoundError

REAL = os.environ.get("TRIMTAB_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="TRIMTAB_DATA names no folder with the real sets")


def keras_arrays(classes: int = 10, shape=(4, 4)):
    images = np.random.default_rng(0).integers(0, 256, (100, *shape), np.uint8)
    labels = np.arange(100, dtype=np.uint8) % classes
    return (images, labels), (images[:20], labels[:20])


def test_digits():
    data = load_data("digits")
    assert data.image_shape == (8, 8, 1)
    assert sum(sum(counts) for counts in data.counts().values()) == 1797
    assert data.train.images.min() == 0
    assert data.train.images.max() == 255
    assert data.train.images.dtype == np.uint8
    assert data.class_names == tuple("0123456789")
    assert len(data.test) == 359


def test_digits_are_scikit_learns_even_where_its_file_has_moved(monkeypatch):
    read = named._digits_table()
    monkeypatch.setattr(named.importlib.util, "find_spec", lambda name: None)
    np.testing.assert_array_equal(read, named._digits_table())


@pytest.mark.parametrize("spelling", ["fashion_mnist", "fashion-mnist", "Fashion-MNIST", "FASHIONMNIST"])
def test_spellings(spelling, nowhere, write_idx):
    write_idx("data/fashion-mnist", train=100, test=20, classes=10)
    data = load_data(spelling, data_dir=nowhere / "data")
    assert data.name == "fashion_mnist"
    assert data.class_names[:2] == ("T-shirt/top", "Trouser")


def test_the_places_are_looked_through_in_order(nowhere, write_idx, write_npz, monkeypatch):
    monkeypatch.setattr(named, "download_with_keras", lambda name: keras_arrays())
    assert load_data("mnist").origin == "keras.datasets.mnist"
    places = ["system/mnist", "keras/datasets/mnist", "environment/mnist"]
    monkeypatch.setenv("TRIMTAB_DATA", str(nowhere / "environment"))
    for place in places:
        write_idx(place, train=100, test=20, classes=10)
        assert load_data("mnist").origin == f"IDX files in {nowhere / place}"
    write_idx("asked/mnist", train=100, test=20, classes=10)
    assert str(nowhere / "asked") in load_data("mnist", data_dir=nowhere / "asked").origin


def test_keras_own_archive_in_its_cache(nowhere):
    (nowhere / "keras/datasets").mkdir(parents=True)
    (x_train, y_train), (x_test, y_test) = keras_arrays()
    path = nowhere / "keras/datasets/mnist.npz"
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    assert load_data("mnist").origin == str(path)


def test_keras_completes_what_its_cache_holds_in_part(nowhere, write_idx, monkeypatch):
    write_idx("keras/datasets/fashion-mnist", t10k_images=None, classes=10)
    with pytest.raises(DataNotFoundError, match="has no t10k-images-idx3-ubyte"):
        load_data("fashion_mnist")
    monkeypatch.setattr(named, "download_with_keras", lambda name: keras_arrays())
    assert load_data("fashion_mnist").origin == "keras.datasets.fashion_mnist"


def cifar_zip(names) -> dict[str, bytes]:
    def encoded(value: int) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (8, 8), (value, 0, 0)).save(file, format="JPEG")
        return file.getvalue()

    return {
        f"{part}/{name}/{number}.jpg": encoded(20 * label)
        for part in ("train", "test")
        for label, name in enumerate(names)
        for number in range(3)
    }


def test_cifar10_as_a_zip_in_its_folder(nowhere, write_zip):
    (nowhere / "data/cifar10").mkdir(parents=True)
    write_zip(cifar_zip(NAMED_SETS["cifar10"].class_names), "data/cifar10/cifar10-images.zip")
    data = load_data("cifar10", data_dir=nowhere / "data")
    assert data.image_shape == (8, 8, 3)
    assert data.counts()["test"] == (3,) * 10


def test_images_of_other_classes_are_not_taken_for_cifar10(nowhere, write_zip):
    (nowhere / "data").mkdir()
    write_zip(cifar_zip(["cat", "dog"]), "data/cifar10.zip")
    with pytest.raises(DataError, match="has the classes cat, dog; CIFAR-10 has airplane"):
        load_data("cifar10", data_dir=nowhere / "data")


def test_a_damaged_file_is_not_passed_over(nowhere, write_idx):
    write_idx("data/mnist", train_images=b"garbage", classes=10)
    with pytest.raises(DataError, match="not an IDX file"):
        load_data("mnist", data_dir=nowhere / "data")


def test_a_folder_of_something_else_is_named(nowhere):
    (nowhere / "data/cifar10").mkdir(parents=True)
    (nowhere / "data/cifar10/data_batch_1").write_bytes(b"\x80\x04pickle")
    with pytest.raises(DataNotFoundError, match=r"cifar10 .holds no IDX files, .npz or images"):
        load_data("cifar10", data_dir=nowhere / "data")


def test_classes_that_are_not_the_sets_are_refused(nowhere, write_npz):
    (nowhere / "data").mkdir()
    (x_train, y_train), (x_test, y_test) = keras_arrays(12)
    write_npz("data/mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    with pytest.raises(
        DataError, match=r"label 10 .image 10. is out of range: the class names go from 0 to 9"
    ):
        load_data("mnist", data_dir=nowhere / "data")


@pytest.mark.parametrize("name", [name for name in NAMED_SETS if name != "digits"])
def test_nothing_found_lists_the_places_and_what_to_do(nowhere, name):
    with pytest.raises(DataNotFoundError) as caught:
        load_data(name, data_dir=nowhere / "asked")
    said = str(caught.value)
    for place in ("asked", "keras", "system"):
        assert str(nowhere / place) in said
    assert "the download failed: Name or service not known" in said
    assert "--data-dir" in said
    assert "\n" not in said


def test_nothing_is_downloaded_where_that_is_switched_off(nowhere, monkeypatch):
    monkeypatch.setattr(named, "download_with_keras", lambda name: pytest.fail("downloaded"))
    with pytest.raises(DataNotFoundError, match="downloading is switched off"):
        load_data("mnist", download=False)


def test_keras_download_comes_as_it_is(nowhere, monkeypatch):
    monkeypatch.setattr(named, "download_with_keras", lambda name: keras_arrays(10, (4, 4, 3)))
    data = load_data("cifar10")
    assert data.class_names[0] == "airplane"
    assert data.image_shape == (4, 4, 3)
    assert data.origin == "keras.datasets.cifar10"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("fashoin-mnist", r"'fashoin-mnist' is neither a named set .* Did you mean 'fashion-mnist'\?"),
        ("digit", r"Did you mean 'digits'\?"),
        ("zzz", r"digits, mnist, fashion_mnist, cifar10"),
        ("no/such/folder", "no/such/folder does not exist"),
        ("missing.npz", "missing.npz does not exist"),
    ],
)
def test_nothing_there(source, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataNotFoundError, match=said):
        load_data(source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("b" * 300, r"^b+\.\.\. cannot be read \(File name too long\)"),
        ("b" * 300 + ".npz", r"cannot be read \(File name too long\)"),
        ("~nobody-of-this-name/x", r"^~nobody-of-this-name/x begins with the home folder of a user"),
        ("a\0b", "neither a named set"),
        ("a\0b.npz", "does not exist"),
    ],
)
def test_paths_that_the_system_refuses_are_one_line(source, said):
    with pytest.raises(DataError, match=said) as caught:
        load_data(source)
    assert "\0" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("folder", ["b" * 300, "~nobody-of-this-name/x"])
def test_data_folders_that_the_system_refuses_are_one_line(folder):
    with pytest.raises(DataError, match=r"File name too long|begins with the home folder"):
        load_data("mnist", data_dir=folder, download=False)


def test_a_place_without_access_is_one_line_and_a_cache_without_it_passed_over(
    nowhere, tmp_path, monkeypatch
):
    own = named.Path.stat

    def stat(self, **options):
        if "locked" in self.parts:
            raise PermissionError(13, "Permission denied")
        return own(self, **options)

    monkeypatch.setattr(named.Path, "stat", stat)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        load_data("mnist", data_dir=tmp_path / "locked", download=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "locked"))
    with pytest.raises(DataNotFoundError, match="was not found"):
        load_data("mnist", download=False)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("data.csv", "data.csv is of no known kind; a folder or zip"),
        ("data.pkl", "a .pkl file, which is not read"),
        ("train-images-idx3-ubyte.gz", "one IDX file; .* Give the folder"),
    ],
)
def test_of_no_known_kind(tmp_path, name, said):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match=said):
        load_data(tmp_path / name)


@pytest.mark.parametrize(
    "options",
    [
        {"validation": 1.0},
        {"validation": -0.1},
        {"test": 0},
        {"size": (0, 4)},
        {"size": (4, 4, 4)},
        {"channels": 2},
        {"limit": 0},
        {"limit": 19},
        {"seed": -1},
        {"input_range": (1, 0)},
        {"input_range": (0, float("nan"))},
        {"input_range": 3},
    ],
)
def test_arguments_that_make_no_sense(options):
    with pytest.raises(ConfigError, match=r"needed|needs"):
        load_data("digits", **options)


def test_neither_keras_nor_a_backend_is_imported():
    code = (
        "import sys, trimtab.data; trimtab.data.load_data('digits');"
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'matplotlib') if m in "
        "sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@needs_real
@pytest.mark.parametrize(
    ("name", "shape", "train", "test"),
    [("mnist", (28, 28, 1), 60000, 10000), ("fashion_mnist", (28, 28, 1), 60000, 10000)],
)
def test_the_real_sets(name, shape, train, test):
    data = load_data(name, download=False)
    assert data.image_shape == shape
    assert (len(data.train) + len(data.validation), len(data.test)) == (train, test)
    assert np.mean(data.train.images) == pytest.approx({"mnist": 33.3, "fashion_mnist": 72.9}[name], abs=0.2)


@needs_real
def test_the_real_cifar10():
    data = load_data("cifar10", download=False, limit=500)
    assert data.image_shape == (32, 32, 3)
    assert data.class_names == NAMED_SETS["cifar10"].class_names
    assert data.counts()["test"] == (50,) * 10
