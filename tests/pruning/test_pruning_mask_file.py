from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trimtab._atomic import atomic_path
from trimtab.errors import ConfigError, ModelError, OutputError, TrimtabError
from trimtab.pruning import apply_masks, load_masks, save_masks, sparsity_table
from trimtab.pruning.sparsity import _mask_file as mask_file

layers = keras.layers
pytestmark = pytest.mark.backend


def build(units=5, name="model", **names):
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name=names.get("inner", "a"))], name="inner")
    dense = layers.Dense(units, name=names.get("head", "head"))
    return keras.Sequential([keras.Input((4,)), inner, dense], name=name)


def pruned(seed=0, **options):
    model = build(**options)
    rng = np.random.default_rng(seed)
    for layer in (model.layers[0].layers[-1], model.layers[-1]):
        shape = tuple(layer.kernel.shape)
        layer.kernel.assign(rng.normal(size=shape) * (rng.random(shape) < 0.4))
    return model


@pytest.fixture
def written(tmp_path):
    save_masks(pruned(), tmp_path / "masks.npz")
    return tmp_path / "masks.npz"


def test_masks_come_back_bit_for_bit(tmp_path):
    model = pruned()
    path = tmp_path / "new" / "masks.npz"
    saved, loaded = save_masks(model, path), load_masks(path)
    assert loaded.model == "model"
    assert [(mask.layer, mask.weight) for mask in loaded.layers] == [
        ("inner/a", "kernel"),
        ("head", "kernel"),
    ]
    for before, after in zip(saved.layers, loaded.layers, strict=True):
        assert after.kept.dtype == bool
        np.testing.assert_array_equal(after.kept, before.kept)
    kernel = keras.ops.convert_to_numpy(model.layers[-1].kernel)
    np.testing.assert_array_equal(loaded.layers[-1].kept, kernel != 0)
    zeros = sum(row.zeros for row in sparsity_table(model))
    assert loaded.sparsity == pytest.approx(zeros / 27)
    assert (
        path.read_bytes() == (save_masks(model, path), path.read_bytes())[1]
    )  # the same model, the same file


def test_one_bit_a_weight(tmp_path):
    model = keras.Sequential([keras.Input((400,)), layers.Dense(200)])
    save_masks(model, tmp_path / "masks.npz")
    assert (tmp_path / "masks.npz").stat().st_size < 400 * 200 / 8 + 1500


def test_applied_masks_make_a_new_model_with_those_zeros(written):
    untrained = pruned(seed=1)
    before = [np.array(value) for value in untrained.get_weights()]
    masks = load_masks(written)
    model = apply_masks(untrained, masks)
    assert model is not untrained
    for value, old in zip(untrained.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)
    for layer, old, mask in zip(
        (model.layers[0].layers[-1], model.layers[-1]), before[::2], masks.layers, strict=True
    ):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.kernel), np.where(mask.kept, old, 0))


def test_infinite_weights_under_a_mask_become_zero(written):
    model = build()
    model.layers[-1].kernel.assign(np.full((3, 5), np.inf, "float32"))
    values = keras.ops.convert_to_numpy(apply_masks(model, load_masks(written)).layers[-1].kernel)
    assert not np.isnan(values).any()


def test_a_model_built_twice_fits_its_masks(written):
    again = build(inner="a_7", head="head_12", name="other")
    assert apply_masks(again, load_masks(written)).layers[-1].name == "head_12"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"units": 6},
            r"'model'.* than 'model': weight 2 is head/kernel of shape \(3, 5\) in the masks, but .*\(3, 6\)",
        ),
        ({"inner": "b"}, "weight 1 is inner/a/kernel .* but inner/b/kernel"),
    ],
)
def test_masks_of_another_model_are_refused_with_the_first_difference(written, other, message):
    with pytest.raises(ModelError, match=message) as caught:
        apply_masks(build(**other), load_masks(written))
    assert "\n" not in str(caught.value)


def test_masks_of_a_longer_or_shorter_model_are_refused(written):
    longer = keras.Sequential([*build().layers, layers.Dense(2, name="more")])
    longer(np.zeros((1, 4), "float32"))
    with pytest.raises(ModelError, match="they are of 2 weights, and the model has 3"):
        apply_masks(longer, load_masks(written))


def test_a_model_without_kernels_has_no_masks(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()])
    with pytest.raises(ModelError, match="no weight that may be pruned"):
        save_masks(model, tmp_path / "masks.npz")
    assert list(tmp_path.iterdir()) == []


def archive(path, about, compression=zipfile.ZIP_STORED, **arrays):
    """Writes a file as somebody else might."""
    with zipfile.ZipFile(path, "w", compression) as file:
        text = about if isinstance(about, bytes) else json.dumps(about).encode()
        for name, array in {"about": np.frombuffer(text, "uint8"), **arrays}.items():
            content = io.BytesIO()
            np.save(content, array, allow_pickle=True)
            file.writestr(f"{name}.npy", content.getvalue())
    return path


def about(rows, **changes):
    return {"format": "trimtab masks", "version": 1, "model": "m", "weights": rows, **changes}


ROW = ["a", "kernel", [2, 4]]
BITS = np.array([7], "uint8")


def test_a_file_made_by_hand_is_read(tmp_path):
    masks = load_masks(archive(tmp_path / "m.npz", about([ROW]), mask_0=BITS))
    assert masks.layers[0].kept.tolist() == [[False] * 4, [False, True, True, True]]


@pytest.mark.parametrize(
    ("text", "arrays", "message"),
    [
        (b"{", {}, "description is not JSON"),
        (b"[" * 100_000, {}, "description is not JSON"),
        (b"\xff\xfe\x00", {}, "description is not JSON"),
        ([1], {}, "no file of masks"),
        ({"format": "other"}, {}, "no file of masks"),
        (about([ROW], version=2), {"mask_0": BITS}, "version 2, and this Trimtab reads version 1"),
        (about([]), {}, "lists no weights"),
        (about([ROW], model=3), {}, "lists no weights"),
        (about([["a", "kernel"]]), {}, "makes no sense"),
        (about([["a", "kernel", [2, -4]]]), {}, "makes no sense"),
        (about([["a", "kernel", [2, True]]]), {}, "makes no sense"),
        (about([["a", "kernel", [2**39] * 32]]), {"mask_0": BITS}, "has 1 bytes, but shape"),
        (about([ROW]), {}, "mask 1 is missing"),
        (about([ROW, ROW]), {"mask_0": BITS}, "mask 2 is missing"),
        (about([ROW]), {"mask_0": np.zeros(2, "uint8")}, "has 2 bytes, but shape"),
        (about([ROW]), {"mask_0": np.zeros(1, "float32")}, "missing or broken"),
        (about([ROW]), {"mask_0": np.array([{"a": 1}], dtype=object)}, "missing or broken"),
    ],
    ids=str,
)
def test_a_file_that_makes_no_sense_is_refused_in_one_line(tmp_path, text, arrays, message):
    with pytest.raises(ModelError, match=message) as caught:
        load_masks(archive(tmp_path / "m.npz", text, **arrays))
    assert "\n" not in str(caught.value)


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path):
    many = np.zeros(50_000_000, "uint8")
    bomb = archive(
        tmp_path / "bomb.npz", about([["a", "k", [20_000, 20_000]]]), zipfile.ZIP_DEFLATED, mask_0=many
    )
    assert bomb.stat().st_size < 200_000
    with pytest.raises(ModelError, match="would unpack to 50,000,"):
        load_masks(bomb)


def test_an_array_that_claims_to_be_huge_is_refused(tmp_path):
    path = archive(tmp_path / "m.npz", about([["a", "k", [10**8, 10**8]]]), mask_0=BITS)
    header = io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": (10**16 // 8,)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as huge, zipfile.ZipFile(path) as file:
        huge.writestr("about.npy", file.read("about.npy"))
        huge.writestr("mask_0.npy", header.getvalue())
    with pytest.raises(ModelError, match="mask 1 is missing or broken"):
        load_masks(tmp_path / "huge.npz")


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """A directory that lists one large member many times."""
    path = archive(tmp_path / "m.npz", about([ROW]), mask_0=np.zeros(100_000, "uint8"))
    with zipfile.ZipFile(path, "a") as file:
        first = file.getinfo("mask_0.npy")
        for index in range(1, 50):
            twin = zipfile.ZipInfo(f"mask_{index}.npy")
            twin.header_offset, twin.file_size, twin.CRC = first.header_offset, first.file_size, first.CRC
            twin.compress_size = first.compress_size
            file.filelist.append(twin)
            file._didModify = True
    with pytest.raises(ModelError, match="would unpack to 5,0"):
        load_masks(path)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), ",  # ends within the brackets
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (1L,), }",  # as Python 2 wrote it
        b"{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (0x1,), }",
        b"__import__('os').system('true')",
        b"\xff" * 40,
        b"",
    ],
)
@pytest.mark.parametrize("member", ["about", "mask_0"])
def test_a_forged_header_is_refused_in_one_line(tmp_path, header, member):
    path = archive(tmp_path / "m.npz", about([ROW]), mask_0=BITS)
    forged = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\x07"
    with zipfile.ZipFile(tmp_path / "forged.npz", "w") as out, zipfile.ZipFile(path) as file:
        for name in ("about", "mask_0"):
            out.writestr(f"{name}.npy", forged if name == member else file.read(f"{name}.npy"))
    with pytest.raises(ModelError, match="is damaged") as caught:
        load_masks(tmp_path / "forged.npz")
    assert "\n" not in str(caught.value)


def test_masks_that_were_not_loaded_are_refused():
    for path in ("ok.npz", Path("ok.npz")):
        with pytest.raises(ConfigError, match=r"Give load_masks\('ok.npz'\)"):
            apply_masks(build(), path)
    with pytest.raises(ConfigError, match="but got dict"):
        apply_masks(build(), {})


def test_garbage_and_pickles_are_refused(tmp_path):
    for content in (b"", b"garbage" * 100, b"PK\x03\x04", pickle.dumps({"a": 1})):
        (tmp_path / "m.npz").write_bytes(content)
        with pytest.raises(ModelError, match="no file of masks, or was cut off") as caught:
            load_masks(tmp_path / "m.npz")
        assert "\n" not in str(caught.value)
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ModelError, match="an archive, but no file of masks"):
        load_masks(tmp_path / "other.npz")


def test_missing_files_and_folders_are_told(tmp_path, written):
    with pytest.raises(ModelError, match=r"mask.npz does not exist. Did you mean 'masks.npz'"):
        load_masks(written.with_name("mask.npz"))
    with pytest.raises(ModelError, match="cannot be read"):
        load_masks(tmp_path)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=4))
def test_a_damaged_file_gives_its_masks_or_one_line(tmp_path, cut, flips):
    path = tmp_path / "masks.npz"
    if not path.exists():
        save_masks(pruned(), path)
    content = bytearray(path.read_bytes())
    content = content[: int(cut * len(content))] if not flips else content
    for place, change in flips:
        content[int(place * (len(content) - 1))] ^= change
    broken = tmp_path / "broken.npz"
    broken.write_bytes(content)
    try:
        said = f"{len(load_masks(broken).layers)} masks"
    except TrimtabError as error:
        said = str(error)
    assert said == "2 masks" or "broken.npz" in said
    assert "\n" not in said


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")
    old = tmp_path / "masks.npz"
    old.write_bytes(b"old")

    class Full:
        def __init__(self, path):
            self.inside = atomic_path(path)

        def __enter__(self):
            partial = self.inside.__enter__()
            partial.symlink_to(device)
            return partial

        def __exit__(self, *error):
            return self.inside.__exit__(*error)

    monkeypatch.setattr(mask_file, "atomic_path", Full)
    with pytest.raises(OutputError, match="disk is full"):
        save_masks(pruned(), old)
    assert [path.name for path in tmp_path.iterdir()] == ["masks.npz"]
    assert old.read_bytes() == b"old"
