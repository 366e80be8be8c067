"""Small files of every kind, made afresh for each test."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest


def idx_bytes(values: np.ndarray, kind: int = 0x08) -> bytes:
    """An IDX file's content, by the format's description."""
    header = bytes([0, 0, kind, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return header + values.tobytes()


def numbers(count: int, classes: int = 2, size: tuple[int, ...] = (4, 4), seed: int = 0) -> tuple:
    """Random uint8 images and labels 0, 1, 0, 1, ..."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, *size), np.uint8), np.arange(count, dtype=np.uint8) % classes


@pytest.fixture
def write_idx(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of four IDX files; keywords replace a file's content, or leave it out (None)."""

    def write(folder: str = "idx", train: int = 20, test: int = 10, classes: int = 2, **replace) -> Path:
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        for prefix, count in (("train", train), ("t10k", test)):
            images, labels = numbers(count, classes)
            content = {
                f"{prefix}-images-idx3-ubyte.gz": gzip.compress(idx_bytes(images)),
                f"{prefix}-labels-idx1-ubyte.gz": gzip.compress(idx_bytes(labels)),
            }
            for name, value in content.items():
                key = name.split("-idx")[0].replace("-", "_")
                value = replace.get(key, value)
                if value is not None:
                    (place / name).write_bytes(value)
        return place

    return write


@pytest.fixture
def write_tree(tmp_path: Path) -> Callable[..., Path]:
    """Writes files below a folder."""

    def write(content: Mapping[str, bytes], folder: str = "pictures") -> Path:
        for name, data in content.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / folder

    return write


@pytest.fixture
def write_zip(tmp_path: Path) -> Callable[..., Path]:
    """Writes a zip."""

    def write(content: Mapping[str, bytes], name: str = "pictures.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in content.items():
                archive.writestr(member, data)
        return path

    return write


@pytest.fixture
def write_npz(tmp_path: Path) -> Callable[..., Path]:
    """Writes an .npz of given arrays."""

    def write(name: str = "data.npz", **arrays) -> Path:
        np.savez_compressed(tmp_path / name, **arrays)
        return tmp_path / name

    return write


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No place holds any data, and nothing can be downloaded: what each test adds is all there is."""
    import trimtab.data._named as named

    def no_network(name: str):
        raise OSError("Name or service not known")

    monkeypatch.delenv("TRIMTAB_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(named, "SYSTEM_DATASETS", tmp_path / "system")
    monkeypatch.setattr(named, "download_with_keras", no_network)
    return tmp_path
