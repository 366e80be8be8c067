"""Models from files, without running anything that is in them."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np

from trimtab.errors import ModelError, nearest
from trimtab.models._archive import check_archive
from trimtab.models._hdf5 import check_hdf5, mended_copy
from trimtab.models._random_state import undisturbed_random_state
from trimtab.models._safety import unknown_name

__all__ = ["load_model"]

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_UNKNOWN = re.compile(
    r"(?:Unknown [a-z_ ]+|Could not (?:locate|deserialize)(?: class| function)?):? '(?:[\w.]+\.)?([^'.]+)'"
)


def load_model(path: str | os.PathLike[str]) -> keras.Model:
    """Loads a Keras model from a ``.keras`` file or a legacy ``.h5`` file.

    The file is looked at before Keras is given it: nothing in it is run, and a file that holds code (a Lambda
    layer) or classes that are unknown here is refused. The model comes without optimizer and compile state.

    Args:
        path: a ``.keras`` file of Keras 3, or a whole-model ``.h5`` file of Keras 2 or 3.

    Raises:
        ModelError: the file is missing, damaged, something else, from Keras 2 (``.keras``), holds code, an
            unknown class or weights that are not numbers; in one line, with what to do.
    """
    path = Path(path)
    magic = _magic(path)
    with tempfile.TemporaryDirectory() as folder:
        if magic == _ZIP:
            check_archive(path)
            readable = path if path.suffix == ".keras" else _copy(path, Path(folder) / "model.keras")
        elif magic == _HDF5:
            broken = check_hdf5(path)
            readable = path
            if broken:
                readable = mended_copy(path, Path(folder) / "model.h5")
            elif path.suffix not in (".h5", ".hdf5"):
                readable = _copy(path, Path(folder) / "model.h5")
        else:
            raise ModelError(_not_a_model(path))
        model = _loaded(readable, path)
    _check_usable(model, path)
    return model


def _magic(path: Path) -> bytes:
    """Returns the bytes that tell which kind of file it is, or says why there is none to read."""
    if path.is_dir():
        raise ModelError(_not_a_file(path))
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        folder = path.parent
        there = [item.name for item in folder.iterdir()] if folder.is_dir() else []
        missing = "" if folder.is_dir() else " (nor does its folder)"
        raise ModelError(f"{path} does not exist{missing}.{nearest(path.name, there)}") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    return _ZIP if start.startswith(_ZIP) else start


def _not_a_file(path: Path) -> str:
    """Says what a folder is, where a file was wanted."""
    if (path / "saved_model.pb").exists():
        return (
            f"{path} is a SavedModel folder, which Keras 3 cannot load as layers. Load it where it was made, "
            "and save the model with model.save('model.keras'), or as model.h5 from Keras 2."
        )
    files = sorted(item.name for item in path.iterdir() if item.suffix in (".keras", ".h5"))
    inside = f" Did you mean {str(path / files[0])!r}?" if files else ""
    return f"{path} is a folder; a .keras or .h5 file is needed.{inside}"


def _not_a_model(path: Path) -> str:
    """Says what a file is that is neither a zip nor HDF5."""
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        return f"{path} is empty (0 bytes). Get it again, or save the model again."
    if start[4:8] == b"TFL3":
        return (
            f"{path} is a LiteRT (.tflite) file, which can be measured but not trained or changed. "
            "Give the Keras model that it was made from."
        )
    return (
        f"{path} is not a Keras model: it is neither a .keras archive nor an HDF5 file. "
        "Save one with model.save('model.keras')."
    )


def _copy(path: Path, copy: Path) -> Path:
    """Copies a file whose name has the wrong ending: Keras chooses the format by it."""
    shutil.copyfile(path, copy)
    return copy


def _loaded(readable: Path, path: Path) -> keras.Model:
    """Lets Keras read a file that has been looked at; what it says goes into one line."""
    try:
        with warnings.catch_warnings(), undisturbed_random_state():
            warnings.simplefilter("ignore")
            return keras.saving.load_model(readable, compile=False, safe_mode=True)
    except Exception as error:
        text = str(error).strip()
        unknown = _UNKNOWN.search(text)
        if unknown is not None:
            raise ModelError(unknown_name(str(path), unknown.group(1), None)) from error
        first = (text.splitlines() or [type(error).__name__])[0][:200].rstrip(".:")
        raise ModelError(
            f"{path} cannot be loaded by Keras {keras.__version__} ({first}). Load it where it was made, and "
            "save it with Keras 3."
        ) from error


def _check_usable(model: object, path: Path) -> None:
    """Makes sure that what came out is a model with weights that are numbers."""
    if not isinstance(model, keras.Model):
        raise ModelError(f"{path} holds a {type(model).__name__}, not a model. Save a whole keras.Model.")
    if not model.built:
        raise ModelError(
            f"{path} was saved before its model was built, so that it has no weights. Call the model on one "
            "batch, and save it again."
        )
    for weight in model.weights:
        if not np.isfinite(weight.numpy()).all():
            raise ModelError(
                f"{path} holds NaN or infinite weights (in {weight.path}): its training diverged. Train it "
                "again, with a smaller learning rate."
            )
