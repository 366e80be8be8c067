"""Image folders and zips of them: layouts, sizes, channels, and what is refused."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from trimtab.data import load_data
from trimtab.errors import DataError


def picture(value, size=(6, 5), kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.new("L" if isinstance(value, int) else "RGB", size[::-1], value).save(file, format=kind, **options)
    return file.getvalue()


def parted(value=100, per_class=10, classes=("cat", "dog"), top="") -> dict[str, bytes]:
    return {
        f"{top}{part}/{name}/{number}.png": picture(value + label)
        for part in ("train", "test")
        for label, name in enumerate(classes)
        for number in range(per_class)
    }


def flat(per_class=20, classes=("cat", "dog"), **options) -> dict[str, bytes]:
    return {
        f"{name}/{number}.png": picture(10 * label + number, **options)
        for label, name in enumerate(classes)
        for number in range(per_class)
    }


@pytest.mark.parametrize("kind", ["folder", "zip", "zip with a folder around"])
def test_train_and_test(write_tree, write_zip, kind):
    content = parted(top="set/" if "around" in kind else "")
    path = write_tree(content) if kind == "folder" else write_zip(content)
    data = load_data(path)
    assert data.class_names == ("cat", "dog")
    assert data.image_shape == (6, 5, 1)
    assert data.counts() == {"train": (9, 9), "validation": (1, 1), "test": (10, 10)}
    assert (data.test.images[..., 0] == 100 + data.test.labels[:, None, None]).all()
    assert data.name == "pictures"


def test_the_same_images_have_the_same_digest_wherever_they_lie(write_tree, write_zip):
    assert load_data(write_tree(parted())).digest == load_data(write_zip(parted())).digest


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder(write_tree, name):
    content = parted() | {f"{name}/cat/1.png": picture(7), f"{name}/dog/1.png": picture(8)}
    data = load_data(write_tree(content))
    assert len(data.train) == 20
    assert data.validation.images[:, 0, 0, 0].tolist() == [7, 8]


def test_one_level_is_split(write_tree):
    data = load_data(write_tree(flat()), test=0.25, validation=0.2)
    assert data.counts() == {"train": (12, 12), "validation": (3, 3), "test": (5, 5)}
    seen = np.concatenate([split.images[:, 0, 0, 0] for split in data._splits().values()])
    assert sorted(seen.tolist()) == sorted([*range(20), *range(10, 30)])


def test_a_class_named_train_is_a_class(write_tree):
    assert load_data(write_tree(flat(classes=("car", "train")))).class_names == ("car", "train")


def test_numbers_are_ordered_as_numbers(write_tree):
    names = tuple(str(number) for number in range(11))
    assert load_data(write_tree(flat(4, names))).class_names == names


def test_other_names_are_ordered_alphabetically(write_tree):
    assert load_data(write_tree(flat(4, ("b10", "b9", "a")))).class_names == ("a", "b10", "b9")


def test_what_macos_and_others_leave_behind_is_passed_over(write_zip):
    content = flat() | {"__MACOSX/cat/._1.png": b"x", "cat/.DS_Store": b"x", "cat/notes.txt": b"x"}
    assert sum(sum(part) for part in load_data(write_zip(content)).counts().values()) == 40


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_formats(write_tree, kind):
    ending = {"JPEG": "jpg"}.get(kind, kind.lower())
    content = {
        f"{name}/{number}.{ending}": picture((200, 30, 30) if name == "a" else (30, 30, 200), kind=kind)
        for name in "ab"
        for number in range(4)
    }
    data = load_data(write_tree(content))
    assert data.image_shape == (6, 5, 3)
    reds = data.train.images[data.train.labels == 0].mean(axis=(0, 1, 2))
    np.testing.assert_allclose(reds, (200, 30, 30), atol=6)


def test_grey_and_colour_together_become_colour(write_tree):
    content = flat(classes=("a",)) | {f"b/{number}.png": picture((9, 8, 7)) for number in range(20)}
    data = load_data(write_tree(content))
    assert data.image_shape == (6, 5, 3)
    assert (data.train.images[data.train.labels == 1] == (9, 8, 7)).all()
    grey = data.train.images[data.train.labels == 0]
    assert (grey[..., 0] == grey[..., 2]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_can_be_asked_for(write_tree, channels):
    content = {f"{name}/{number}.png": picture((200, 100, 50)) for name in "ab" for number in range(4)}
    data = load_data(write_tree(content), channels=channels)
    expected = (
        (200, 100, 50)
        if channels == 3
        else Image.new("RGB", (1, 1), (200, 100, 50)).convert("L").getpixel((0, 0))
    )
    assert (data.train.images == expected).all()


def test_sixteen_bit_palette_alpha_and_a_turned_camera(write_tree):
    deep = io.BytesIO()
    Image.fromarray(np.full((6, 5), 65535, np.uint16)).save(deep, format="PNG")
    palette = io.BytesIO()
    Image.new("L", (5, 6), 77).convert("P").save(palette, format="PNG")
    clear = io.BytesIO()
    Image.new("LA", (5, 6), (50, 0)).save(clear, format="PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = picture(90, (5, 6), exif=exif)
    images = {
        "deep": deep.getvalue(),
        "palette": palette.getvalue(),
        "alpha": clear.getvalue(),
        "turned": turned,
    }
    content = {f"{name}/{n}.png": data for name, data in images.items() for n in range(3)}
    data = load_data(write_tree(content))
    assert data.image_shape == (6, 5, 1)
    values = {
        name: int(data.train.images[data.train.labels == i].max()) for i, name in enumerate(data.class_names)
    }
    assert values == {"deep": 255, "palette": 77, "alpha": 50, "turned": 90}


def test_size_resizes_images_that_differ(write_tree):
    content = flat(classes=("a",), size=(9, 7)) | flat(classes=("b",), size=(300, 200))
    data = load_data(write_tree(content), size=(8, 8))
    assert data.image_shape == (8, 8, 1)


def test_limit_takes_the_same_share_of_each_class(write_tree):
    content = flat(40, ("a",)) | flat(20, ("b",))
    data = load_data(write_tree(content), limit=12)
    counts = data.counts()
    assert np.add(counts["train"], counts["validation"]).tolist() == [8, 4]
    assert sum(counts["test"]) == 12


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cat/odd.png": picture(1, (7, 7))}, r"cat/0.png is 6x5 but cat/odd.png is 7x7 .*--size 32x32"),
        ({"cat/1.png": b"not an image"}, r"cat/1.png cannot be decoded \(not an image\)"),
        ({"cat/1.jpg": picture(1, (64, 64), "JPEG")[:-300]}, "cat/1.jpg cannot be decoded"),
        ({"cat/1.png": picture(1)[:-30]}, "cat/1.png cannot be decoded"),
        ({"cat/1.png": b""}, "cat/1.png cannot be decoded"),
        ({"astray.png": picture(1)}, "1 of 41 images lie outside a class folder, such as astray.png"),
        ({"empty/readme.txt": b"x"}, "the class folder empty holds no images"),
    ],
)
def test_bad_images(write_tree, change, said):
    with pytest.raises(DataError, match=said) as caught:
        load_data(write_tree(flat() | change), validation=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (flat(classes=("cat",)), "one class only, 'cat'"),
        (flat(2), "Class 'cat' has only 2 images; at least 3"),
        (flat() | {"train/cat/1.png": picture(1)}, "lie outside a class folder, such as cat/0.png"),
        (
            parted() | {"test/bird/1.png": picture(1)},
            "class 'bird' is in the test part .test/bird/1.png. but not in",
        ),
        ({"1.png": picture(1), "2.png": picture(1)}, "2 of 2 images lie outside a class folder"),
        ({"readme.md": b"hello"}, "holds readme.md; IDX files, one .npz, or images"),
        ({"a.npz": b"", "b.npz": b""}, "2 .npz files; give one of them"),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_bad_layouts(write_tree, write_zip, content, said, kind):
    with pytest.raises(DataError, match=said):
        load_data(write_tree(content) if kind == "folder" else write_zip(content))


def test_an_empty_class_folder(write_tree):
    folder = write_tree(flat())
    (folder / "bird").mkdir()
    with pytest.raises(DataError, match="the class folder bird holds no images"):
        load_data(folder)


@pytest.mark.parametrize(
    "name", ["../evil.png", "cat/../../evil.png", "/etc/evil.png", "C:\\evil.png", "..\\evil.png"]
)
def test_a_zip_that_climbs_out(write_zip, tmp_path, name):
    path = write_zip(flat() | {name: picture(1)})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="lies outside the archive's own folder"):
        load_data(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_zip_with_a_link(write_zip):
    path = write_zip(flat())
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="a symbolic link"):
        load_data(path)


def test_a_zip_that_is_encrypted(write_zip):
    path = write_zip({"cat/1.png": picture(1)})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        load_data(path)


@pytest.mark.parametrize("cut", [0, 10, 500, -5])
def test_a_zip_cut_short(write_zip, cut):
    path = write_zip(flat())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="not a whole zip archive"):
        load_data(path)


def test_a_zip_whose_member_is_damaged(write_zip):
    path = write_zip(flat())
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cat/0.png is damaged|cannot be decoded"):
        load_data(path, validation=0)


def test_reading_a_zip_leaves_nothing_on_the_disk(write_zip, tmp_path):
    path = write_zip(parted())
    before = sorted(tmp_path.rglob("*"))
    load_data(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_image_that_claims_a_billion_pixels(write_tree):
    bomb = bytearray(picture(1))
    bomb[16:24] = (40_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    with pytest.raises(DataError, match=r"cannot be decoded|at most 100000000 are read"):
        load_data(write_tree(flat() | {"cat/1.png": bytes(bomb)}), validation=0)
