"""Legacy whole-model HDF5 files (``.h5``), as Keras 2 and Keras 3 wrote them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from trimtab.errors import ModelError
from trimtab.models._archive import parsed
from trimtab.models._safety import check_classes_known, check_runs_no_code

__all__ = ["check_hdf5", "mended_copy"]


def check_hdf5(path: Path) -> bool:
    """Makes sure that an HDF5 file is a whole model without code; says whether it needs mending.

    Returns:
        Whether it holds what Keras 2 wrote and Keras 3 refuses; see `mended_copy`.

    Raises:
        ModelError: it is not a model; in one line, with what to do.
    """
    config = _config(path)
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise ModelError(f"{path} is damaged: its model_config describes no model.")
    check_runs_no_code(config, str(path))
    check_classes_known(config, str(path))
    return any(True for _ in _refused_settings(config))


def mended_copy(path: Path, copy: Path) -> Path:
    """Writes a copy of a legacy file that Keras 3 reads.

    Keras 2 wrote ``groups: 1`` into the config of each DepthwiseConv2D, an argument that Keras 3's layer does
    not take. It says nothing: such a layer's groups are its channels.
    """
    shutil.copyfile(path, copy)
    config = _config(copy)
    for settings in list(_refused_settings(config)):
        del settings["groups"]
    with h5py.File(copy, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
    return copy


def _config(path: Path) -> Any:
    """Reads the model's description, or says what the file is instead."""
    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
            only_weights = (
                "layer_names" in file.attrs or "layers" in file or "_layer_checkpoint_dependencies" in file
            )
            whole = "model_weights" in file
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path} is damaged: the HDF5 file cannot be read. It may have been cut off while copying or "
            "downloading; get it again."
        ) from error
    if config is None and (only_weights or path.name.endswith(".weights.h5")):
        raise ModelError(
            f"{path} holds weights only, without the architecture. Build the model, call "
            "model.load_weights() on this file, and save it with model.save('model.keras')."
        )
    if config is None or not whole:
        raise ModelError(
            f"{path} is an HDF5 file but not a Keras model. Save one with model.save('model.keras')."
        )
    return parsed(config, path)


def _refused_settings(config: Any) -> Iterator[dict[str, Any]]:
    """Yields the settings of each DepthwiseConv2D that names its groups."""
    stack = [config]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            inner = item.get("config")
            if item.get("class_name") == "DepthwiseConv2D" and isinstance(inner, dict) and "groups" in inner:
                yield inner
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
