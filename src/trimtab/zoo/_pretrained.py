"""Weights from a file, layer by layer and by name; no model is made of the file and nothing in it is run."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from trimtab.errors import ConfigError, ModelError, nearest
from trimtab.models._archive import check_archive

__all__ = ["checked_weights", "layer_weights"]

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_KINDS = "a .weights.h5, .keras or .h5 file"
_KERAS_MEMBER, _LEGACY_GROUP = "model.weights.h5", "model_weights"


def checked_weights(weights: Any) -> Path | str | None:
    """Returns where weights are to come from: a file that exists, ``"imagenet"``, or None for nowhere.

    ``"none"`` means None, so that recipes can say it.

    Raises:
        ConfigError: it is none of these.
    """
    if weights is None or weights == "none":
        return None
    if weights == "imagenet":
        return "imagenet"
    if not isinstance(weights, str | os.PathLike) or not os.fspath(weights):
        raise ConfigError(f"weights must be 'imagenet', 'none' or {_KINDS}. Received: weights={weights!r}.")
    path = Path(weights)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "a file that does not exist"
        raise ConfigError(
            f"weights is {str(weights)!r}, {what}; it must be 'imagenet', 'none' or {_KINDS}."
            f"{nearest(str(weights), ('imagenet', 'none'))}"
        )
    return path


def layer_weights(
    path: Path, layers: Mapping[str, Any], optional: Collection[str] = ()
) -> dict[str, list[np.ndarray]]:
    """Reads the weights of layers out of a file, by the names of the layers.

    Layers are found wherever they are in the saved model, nested models included. What else the file holds
    (other layers, an optimizer, the architecture) is left alone.

    Args:
        path: weights alone (``.weights.h5``, or Keras 2's ``.h5``) or a whole model (``.keras``, ``.h5``).
        layers: built layers by the names that they have in the file.
        optional: names of those whose weights may have other shapes in the file; they are left out then.

    Returns:
        For each layer that the file has: its weights, in the order of ``layer.weights``.

    Raises:
        ModelError: the file is damaged or of another kind, two of its layers have one name, or weights have
            another shape or are no numbers.
    """
    try:
        with _opened(path) as file:
            found = _datasets(file, path, layers)
            read = {
                name: _values(found, name, layer, path, skip=name in optional)
                for name, layer in layers.items()
            }
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path} is damaged: its weights cannot be read. It may have been cut off while copying or "
            "downloading; get it again."
        ) from error
    return {name: values for name, values in read.items() if values is not None}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Opens the HDF5 file with the weights: the file itself, or the one inside a ``.keras`` archive."""
    with path.open("rb") as start:
        magic = start.read(8)
    if magic == _HDF5:
        with h5py.File(path, "r") as file:
            yield file
    elif magic.startswith(_ZIP):
        check_archive(path)
        with zipfile.ZipFile(path) as archive:
            if _KERAS_MEMBER not in archive.namelist():
                raise ModelError(
                    f"{path} keeps its weights in another way than HDF5. Load it with Keras, and save it "
                    "with model.save('model.keras')."
                )
            content = archive.read(_KERAS_MEMBER)
        with h5py.File(io.BytesIO(content), "r") as file:
            yield file
    else:
        raise ModelError(f"{path} holds no weights of a Keras model; {_KINDS} is needed.")


def _datasets(file: h5py.File, path: Path, layers: Mapping[str, Any]) -> dict[tuple[str, str], h5py.Dataset]:
    """Finds what belongs to the layers: by layer, and by the weight's name or its number in the layer."""
    found: dict[tuple[str, str], h5py.Dataset] = {}
    whole = _LEGACY_GROUP in file  # beside it is the optimizer, with arrays of the same names

    def visit(place: str, item: Any) -> None:  # links to other places and files are not followed
        parts = place.split("/")
        if not isinstance(item, h5py.Dataset) or (whole and parts[0] != _LEGACY_GROUP):
            return
        if parts[-2:-1] == ["vars"]:  # Keras 3: numbered, with the layer's name beside them
            layer, weight = item.parent.attrs.get("name"), parts[-1]
        else:  # Keras 2: layer/.../weight:0
            layer = next((part for part in reversed(parts[:-1]) if part in layers), None)
            weight = parts[-1].split(":")[0]
        if not isinstance(layer, str) or layer not in layers:
            return
        if (layer, weight) in found:
            raise ModelError(f"{path} holds two layers called {layer!r}; give a file of one model.")
        found[layer, weight] = item

    file.visititems(visit)
    return found


def _values(
    found: Mapping[tuple[str, str], h5py.Dataset], name: str, layer: Any, path: Path, *, skip: bool
) -> list[np.ndarray] | None:
    """Reads the weights of one layer; None where the file does not have them all."""
    values = []
    for number, weight in enumerate(layer.weights):
        dataset = found.get((name, weight.name), found.get((name, str(number))))
        if dataset is None:
            return None
        if dataset.shape != tuple(weight.shape):  # before reading: a small file may declare a huge shape
            if skip:
                return None
            raise ModelError(
                f"{path}: the layer {name!r} has weights of shape {dataset.shape}, and {tuple(weight.shape)} "
                "are needed. Give a file of the same architecture."
            )
        if dataset.external or dataset.is_virtual:
            raise ModelError(f"{path} points at other files, which are not read. Give a file of its own.")
        value = np.asarray(dataset[()], dtype="float32")
        if not np.isfinite(value).all():
            raise ModelError(f"{path} holds NaN or infinite weights (in {name}): its training diverged.")
        values.append(value)
    return values
