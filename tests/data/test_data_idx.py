"""IDX files: what is read, and what is refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trimtab.data import load_data
from trimtab.data._idx import read_idx
from trimtab.errors import DataError

KINDS = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx_bytes(values: np.ndarray, kind: int = 0x08) -> bytes:
    header = bytes([0, 0, kind, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return header + values.tobytes()


@settings(deadline=None, max_examples=40)
@given(st.data(), st.sampled_from(sorted(KINDS)), st.booleans())
def test_round_trip(data, dtype, zipped):
    shape = data.draw(st.sampled_from([(5,), (3, 2, 4), (2, 3, 2, 3)]))
    values = data.draw(hnp.arrays(np.dtype(dtype), shape))
    content = idx_bytes(values, KINDS[dtype])
    read = read_idx(
        gzip.compress(content) if zipped else content, "file", "labels" if len(shape) == 1 else "images"
    )
    assert read.dtype == values.dtype
    assert read.tobytes() == values.tobytes()
    assert read.shape == shape


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2000), st.booleans())
def test_any_cut_is_an_error_never_fewer_images(cut, zipped):
    values = np.random.default_rng(0).integers(0, 256, (12, 12, 12), np.uint8)
    content = idx_bytes(values)
    content = gzip.compress(content) if zipped else content
    if cut >= len(content):
        return
    with pytest.raises(DataError):
        read_idx(content[:cut], "file", "images")


def test_a_folder_of_four_files(write_idx):
    data = load_data(write_idx(train=40, test=10))
    assert data.image_shape == (4, 4, 1)
    assert data.class_names == ("0", "1")
    assert data.counts() == {"train": (18, 18), "validation": (2, 2), "test": (5, 5)}
    assert data.train.images.dtype == np.uint8
    assert data.name == "idx"


def test_plain_files_and_no_test_pair(write_idx):
    folder = write_idx(t10k_images=None, t10k_labels=None)
    for path in list(folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    data = load_data(folder)
    assert {part: len(split) for part, split in data._splits().items()} == {
        "train": 14,
        "validation": 2,
        "test": 4,
    }


def one_label_short(count: int) -> bytes:
    return idx_bytes((np.arange(count - 1) % 2).astype(np.uint8))


@pytest.mark.parametrize(
    ("replace", "said"),
    [
        ({"train_images": b"\x1f\x8b\x08\x00damaged"}, "damaged or cut short"),
        ({"train_images": gzip.compress(idx_bytes(np.zeros((20, 4, 4), np.uint8)))[:-20]}, "cut short"),
        (
            {"train_images": idx_bytes(np.zeros((20, 4, 4), np.uint8))[:-7]},
            "should hold 320 .* ends after 313",
        ),
        ({"train_images": idx_bytes(np.zeros((20, 4, 4), np.uint8)) + b"x"}, "goes on after them"),
        ({"train_images": idx_bytes(np.zeros(20, np.uint8))}, "holds labels .* where images were needed"),
        (
            {"train_labels": idx_bytes(np.zeros((20, 4, 4), np.uint8))},
            "holds images .* where labels were needed",
        ),
        ({"train_images": b"PNG? no idea"}, "not an IDX file: it begins with 504e473f; 00000803"),
        ({"train_images": b""}, "not an IDX file: it begins with nothing"),
        ({"train_images": b"\0\0\x08\x03\0\0"}, "cut short in its header"),
        ({"train_images": b"\0\0\x08\x03" + b"\xff" * 12}, "GiB of memory"),
        ({"train_labels": one_label_short(20)}, "20 images but 19 labels"),
        ({"train_labels": None}, "has no train-labels-idx1-ubyte"),
        ({"t10k_images": None}, "has no t10k-images-idx3-ubyte"),
        ({"t10k_labels": idx_bytes(np.full(10, 7, np.uint8))}, "label 7 .image 0. is out of range"),
        ({"train_labels": idx_bytes(np.zeros(20, np.uint8))}, "one class only, '0'"),
        ({"train_images": idx_bytes(np.zeros((0, 4, 4), np.uint8))}, "there are no images"),
    ],
)
def test_bad_files(write_idx, replace, said):
    folder = write_idx(**replace)
    with pytest.raises(DataError, match=said) as caught:
        load_data(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_two_sets_in_one_folder_are_not_mixed(write_idx):
    write_idx("both/a")
    write_idx("both/b")
    folder = write_idx("both/b").parent
    with pytest.raises(DataError, match="two files of test images"):
        load_data(folder)
