"""Bad input never costs the user anything: one clear line, exit code 2, nothing written, nothing executed."""

from __future__ import annotations

import errno
import gzip
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RNG = np.random.default_rng(0)


def npz(**arrays: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with (folder / "images.npz").open("wb") as file:
            np.savez(file, allow_pickle=True, **arrays)
        return folder / "images.npz"

    return make


def pixels(count: int = 60) -> np.ndarray:
    return RNG.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def labels(count: int = 60) -> np.ndarray:
    return np.arange(count) % 3


def nan_pixels() -> np.ndarray:
    images = pixels().astype(np.float32) / 255
    images[3, 2, 1] = np.nan
    return images


def missing(folder: Path) -> Path:
    return folder / "nowhere"


def idx(folder: Path, *, cut: int | None = None, swap: bool = False, fewer: int = 0) -> Path:
    """A folder of IDX files, spoiled as asked."""
    target = folder / "idx"
    target.mkdir()
    for part, count in (("train", 60), ("t10k", 30)):
        images = (
            b"\x00\x00\x08\x03"
            + b"".join(n.to_bytes(4, "big") for n in (count, 8, 8))
            + pixels(count).tobytes()
        )
        marks = (
            b"\x00\x00\x08\x01"
            + (count - fewer).to_bytes(4, "big")
            + labels(count - fewer).astype(np.uint8).tobytes()
        )
        if swap:
            images, marks = marks, images
        packed = gzip.compress(images)
        (target / f"{part}-images-idx3-ubyte.gz").write_bytes(packed[:cut] if cut else packed)
        (target / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(marks))
    return target


def image_folder(folder: Path, *, odd_size: bool = False, classes: int = 3) -> Path:
    target = folder / "photos"
    for label in range(classes):
        for number in range(12):
            place = target / f"class-{label}" / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            side = 9 if odd_size and (label, number) == (1, 5) else 8
            Image.fromarray(RNG.integers(0, 256, (side, side), dtype=np.uint8)).save(place)
    return target


def climbing_zip(folder: Path) -> Path:
    image_folder(folder)
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for path in sorted((folder / "photos").rglob("*.png")):
            archive.write(path, path.relative_to(folder / "photos").as_posix())
        archive.write(next((folder / "photos").rglob("*.png")), "../climbed/evil.png")
    return folder / "photos.zip"


DATA = {
    "a missing file": (missing, "nowhere"),
    "a truncated file": (lambda folder: idx(folder, cut=80), "train-images"),
    "labels named images": (lambda folder: idx(folder, swap=True), "train-images"),
    "fewer labels than images": (lambda folder: idx(folder, fewer=1), "59"),
    "different sizes": (lambda folder: image_folder(folder, odd_size=True), "9x9"),
    "one class only": (lambda folder: image_folder(folder, classes=1), "class"),
    "NaN pixels": (npz(x_train=nan_pixels(), y_train=labels(), x_test=pixels(30), y_test=labels(30)), "NaN"),
    "negative labels": (
        npz(x_train=pixels(), y_train=labels() - 1, x_test=pixels(30), y_test=labels(30)),
        "-1",
    ),
    "labels with gaps": (
        npz(x_train=pixels(), y_train=labels() * 1000, x_test=pixels(30), y_test=labels(30)),
        "label",
    ),
    "a pickled npz": (npz(x_train=np.array([{}, len], dtype=object), y_train=labels(2)), "pickle"),
    "a climbing zip": (climbing_zip, ".."),
    "an empty folder": (lambda folder: (folder / "empty").mkdir() or folder / "empty", "empty"),
}


def check_one_clear_line(result: object, words: str) -> None:
    assert result.code == 2, result.err  # type: ignore[attr-defined]
    lines = [line for line in result.err.splitlines() if line.startswith("Error: ")]  # type: ignore[attr-defined]
    assert len(lines) == 1, result.err  # type: ignore[attr-defined]
    assert words.lower() in lines[0].lower(), lines[0]
    assert "Traceback" not in result.err  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", DATA)
def test_data_that_cannot_be_used(
    cli: Callable, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, words = DATA[case]
    source = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    check_one_clear_line(cli("data", source), words)
    check_one_clear_line(cli("run", "quickstart", "--data", source, "--out", "run"), words)
    assert [
        path
        for path in sorted(tmp_path.rglob("*"))
        if path not in before and path.name not in ("run", ".lock")
    ] == []


def lambda_model(folder: Path) -> Path:
    import keras

    def touch(x: object) -> object:
        __import__("pathlib").Path("executed").touch()
        return x

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Lambda(touch, output_shape=(8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    model.save(folder / "model.keras")
    model(np.zeros((1, 8, 8, 1)))
    (folder / "executed").unlink()  # which shows that it would run
    return folder / "model.keras"


def keras_2_model(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr(
            "metadata.json", json.dumps({"keras_version": "2.15.0", "date_saved": "2024-01-01@00:00:00"})
        )
        archive.writestr(
            "config.json", json.dumps({"module": "keras", "class_name": "Sequential", "config": {}})
        )
        archive.writestr("model.weights.h5", b"")
    return folder / "model.keras"


def dense_model(folder: Path, *, units: int = 10, activation: str | None = None, side: int = 8) -> Path:
    import keras

    model = keras.Sequential(
        [keras.Input((side, side, 1)), keras.layers.Flatten(), keras.layers.Dense(units, activation)]
    )
    model.save(folder / "model.keras")
    return folder / "model.keras"


MODELS = {
    "a missing model": (missing, "nowhere"),
    "a Lambda": (lambda_model, "Lambda"),
    "Keras 2": (keras_2_model, "Keras 2"),
    "too few outputs": (lambda folder: dense_model(folder, units=7), "7"),
    "another image size": (lambda folder: dense_model(folder, side=9), "9"),
    "a softmax": (lambda folder: dense_model(folder, activation="softmax"), "softmax"),
    "no model at all": (
        lambda folder: (folder / "model.keras").write_text("hello") and folder / "model.keras",
        "model.keras",
    ),
}


@pytest.mark.parametrize("case", MODELS)
def test_models_that_cannot_be_used(
    cli: Callable, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, words = MODELS[case]
    model = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    check_one_clear_line(
        cli("export", model, "--scheme", "int8", "--data", "digits", "--out", "out.tflite"), words
    )
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path / "executed").exists()


def test_a_recipe_that_brings_such_a_model_stops_before_training(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lambda_model(tmp_path)
    (tmp_path / "own.yaml").write_text(
        "name: own\ndata: digits\nsteps:\n"
        "  - {name: new, do: train, model: {architecture: cnn}, epochs: 1}\n"
        "  - {name: mine, do: load, path: model.keras}\n"
    )
    check_one_clear_line(cli("run", "own.yaml", "--out", "run"), "Lambda")
    assert not (tmp_path / "run" / "steps").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("steps.baseline.model.filterz=[8]", "filterz"),
        ("steps.baseline.model.filters=[8,8,8,8,8,8]", "step 'baseline'"),
        ("steps.baseline.model.architecture=resnt", "Did you mean 'resnet'?"),
        ("steps.pruned-int8.scheme=int9", "Did you mean 'int8'?"),
        ("steps.pruned-int8.calibrations=3", "Did you mean 'calibration'?"),
        ("steps.pruned.layers=[conv_9]", "conv_9"),
    ],
)
def test_a_wrong_setting_is_found_before_training(
    cli: Callable, tmp_path: Path, setting: str, words: str
) -> None:
    check_one_clear_line(cli("run", "quickstart", "--out", tmp_path / "run", "--set", setting), words)
    assert not list(tmp_path.rglob("*.keras"))


def test_folders_that_cannot_be_written(cli: Callable, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_one_clear_line(cli("run", "quickstart", "--out", tmp_path / "file" / "run"), "in the way")
    check_one_clear_line(cli("run", "quickstart", "--out", "/proc/trimtab"), "cannot be written")
    check_one_clear_line(
        cli("train", "--data", "digits", "--epochs", 1, "--out", "/proc/x/a.keras"), "cannot be written"
    )


def test_a_folder_with_other_things_in_it_is_left_alone(cli: Callable, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    check_one_clear_line(cli("run", "quickstart", "--out", tmp_path), "not empty")
    check_one_clear_line(cli("report", tmp_path), "run.json")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("writes", [1, 6, 12])
def test_a_full_disk_stops_the_run_and_a_free_one_lets_it_go_on(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """The disk fills after so many files; what is there then is whole, and the run resumes."""
    words = ["run", "quickstart", "--out", tmp_path / "run", "--resume"]
    for setting in (
        "steps.baseline.epochs=1",
        "steps.pruned.epochs=2",
        "benchmark.latency=false",
        "benchmark.memory=false",
    ):
        words += ["--set", setting]
    done, sync = 0, os.fsync

    def full(descriptor: int) -> None:
        nonlocal done
        done += 1
        if done > writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        check_one_clear_line(cli(*words), "disk is full")
    assert not list(tmp_path.rglob("*.partial.*"))
    for record in tmp_path.rglob("*.json"):
        json.loads(record.read_text())
    result = cli(*words)
    assert result.code == 0, result.err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "complete"


def test_two_processes_do_not_share_a_folder(cli: Callable, tmp_path: Path) -> None:
    from trimtab.pipeline import RunFolder

    with RunFolder(tmp_path / "run").locked():
        check_one_clear_line(cli("run", "quickstart", "--out", tmp_path / "run"), "another process")


def test_a_damaged_run_folder(cli: Callable, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    check_one_clear_line(cli("report", tmp_path), "damaged")
    check_one_clear_line(cli("run", tmp_path, "--resume"), "damaged")
