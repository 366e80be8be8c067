"""Conversion from JAX and torch: in a process of its own, with the `.keras` file as the bridge."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

from trimtab import _atomic, _keras_internals, errors, models
from trimtab._temporary import temporary_folder
from trimtab.litert._scheme import Scheme

__all__ = ["convert_elsewhere"]


def convert_elsewhere(
    model: keras.Model, kind: Scheme, images: np.ndarray | None, shape: tuple[int, int, int]
) -> bytes:
    """Converts `model` in a new Python process that runs Keras on TensorFlow.

    Raises:
        ModelError: the model cannot be saved or read again (a custom layer that only this process knows).
        OutputError: the temporary folder cannot be written.
        ConversionError: the converter refused the model.
    """
    with temporary_folder() as folder:
        models.save_model(model, folder / "model.keras")
        if images is not None:
            np.save(folder / "images.npy", images)
        (folder / "job.json").write_text(
            json.dumps(
                {"scheme": dataclasses.asdict(kind), "image_shape": shape, "modules": _own_modules(model)}
            )
        )
        finished = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "trimtab.litert._other_backend", str(folder)],
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
        )
        return _outcome(folder, model, finished)


def _own_modules(model: keras.Model) -> list[str]:
    """Lists Trimtab's modules whose layers the model has: importing them makes the layers known."""
    modules = {type(layer).__module__ for layer in _keras_internals.all_layers(model)}
    return sorted(name for name in modules if name.split(".")[0] == "trimtab")


def _outcome(folder: Path, model: keras.Model, finished: subprocess.CompletedProcess[str]) -> bytes:
    """Returns what the process made, or raises what it raised."""
    if (folder / "model.tflite").exists():
        return (folder / "model.tflite").read_bytes()
    if (folder / "error.json").exists():
        said = json.loads((folder / "error.json").read_text())
        raise getattr(errors, said["kind"])(said["message"])
    last = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
    raise errors.ConversionError(
        f"The process that converts model {model.name!r} ended with code {finished.returncode}: {last[:240]}."
        " Save the model as .keras and convert it with KERAS_BACKEND=tensorflow to see more."
    )


def _work(folder: Path) -> None:
    """Does the job in `folder`: reads model and images, writes the file or the error."""
    from trimtab.litert._convert import convert

    job = json.loads((folder / "job.json").read_text())
    images = folder / "images.npy"
    try:
        for name in job.get("modules", ()):
            if name.split(".")[0] == "trimtab":
                importlib.import_module(name)
        model = _read(folder / "model.keras")
        content = convert(
            model,
            Scheme(**job["scheme"]),
            np.load(images, allow_pickle=False) if images.exists() else None,
            image_shape=tuple(job["image_shape"]),
        )
        _atomic.write_bytes(folder / "model.tflite", content)
    except errors.TrimtabError as error:
        record = {"kind": type(error).__name__, "message": str(error)}
        (folder / "error.json").write_text(json.dumps(record))


def _read(path: Path) -> keras.Model:
    """Loads the model that the parent process saved."""
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise errors.ModelError(
            "The model has layers that only the calling process knows, so it cannot be converted from this "
            f"Keras backend ({errors.first_line(error, 200)}). Run with KERAS_BACKEND=tensorflow."
        ) from error


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
