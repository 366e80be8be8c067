"""What is inside a ``.keras`` file, looked at before Keras is."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from trimtab.errors import ModelError
from trimtab.models._safety import check_classes_known, check_runs_no_code

__all__ = ["check_archive", "parsed"]

_WEIGHTS = ("model.weights.h5", "model.weights.npz")
_LARGEST_CONFIG = 64 << 20  # bytes; the config of a thousand-layer model is below one megabyte
_BOMB_FLOOR, _BOMB_RATIO = 256 << 20, 100  # Keras stores weights as they are; more than this is no weight


def check_archive(path: Path) -> None:
    """Makes sure that a zip is a whole Keras 3 model that holds no code and nothing unknown.

    Raises:
        ModelError: it is not; in one line, with what to do.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            metadata = archive.read("metadata.json") if "metadata.json" in archive.namelist() else b"{}"
            config = archive.read("config.json")
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelError(
            f"{path} is damaged: the archive cannot be read ({error}). It may have been cut off while "
            "copying or downloading; get it again."
        ) from error
    if damaged is not None:
        raise ModelError(f"{path} is damaged ({damaged} fails its checksum). Get it again.")
    _check_version(parsed(metadata, path), path)
    architecture = parsed(config, path)
    if not isinstance(architecture, dict) or "class_name" not in architecture:
        raise ModelError(f"{path} is not a Keras model: its config.json describes none.")
    check_runs_no_code(architecture, str(path))
    check_classes_known(architecture, str(path))


def parsed(text: bytes | str, path: Path) -> Any:
    """Returns JSON as data, or says that the file is damaged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: its description of the model is not JSON.") from error


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Makes sure that the archive has the parts of a model, and that none is a decompression bomb."""
    names = archive.namelist()
    if "config.json" not in names or not any(name in names for name in _WEIGHTS):
        raise ModelError(
            f"{path} is a zip file but not a Keras model: it has no config.json with model.weights.h5. "
            "Save the model with model.save('model.keras')."
        )
    for member in archive.infolist():
        inflated = member.file_size > _BOMB_RATIO * max(member.compress_size, 1)
        if (inflated and member.file_size > _BOMB_FLOOR) or (
            member.filename == "config.json" and member.file_size > _LARGEST_CONFIG
        ):
            raise ModelError(
                f"{path} is not a Keras model: {member.filename} would unpack to {member.file_size:,} bytes."
            )


def _check_version(metadata: Any, path: Path) -> None:
    """Refuses what Keras 2 wrote: the format has the same ending, but Keras 3 cannot read it."""
    version = str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""
    if version.startswith(("1.", "2.")):
        raise ModelError(
            f"{path} was saved by Keras {version}, and Trimtab reads Keras 3 files. Load it where it was "
            "made (or with the package tf_keras), save it with model.save('model.h5'), and give that file."
        )
