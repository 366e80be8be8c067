"""Models as files: plain ``.keras`` archives that load without Trimtab."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path

import keras

from trimtab import _keras_internals
from trimtab._atomic import atomic_path
from trimtab.errors import ConfigError, ModelError
from trimtab.models._clone import config_of
from trimtab.models._safety import check_runs_no_code

__all__ = ["save_model"]

_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can tell


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Writes a model as a ``.keras`` file that plain Keras loads, whole or not at all.

    The file holds the architecture and the weights: no optimizer state, no compile state and no date, so that
    the same model gives the same bytes. The model in memory stays compiled.

    Args:
        model: a built Keras model.
        path: the file to write; it must end in ``.keras``.

    Raises:
        ConfigError: `path` does not end in ``.keras``.
        ModelError: the model is not built, has no config, or holds a layer that is code, such as a Lambda.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ConfigError(f"A Keras model is saved in a file that ends in .keras. Received: {path.name!r}.")
    if not model.built:
        raise ModelError(f"The model {model.name!r} has no weights to save yet: call it on one batch first.")
    config = config_of(model)
    check_runs_no_code(config, f"The model {model.name!r}")
    _check_no_assets(model)
    with atomic_path(path) as partial, tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "model.weights.h5"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            keras.saving.save_weights(model, weights, objects_to_skip=_training_state(model))
        with zipfile.ZipFile(partial, "w") as archive:
            metadata = json.dumps({"keras_version": keras.__version__})
            archive.writestr(zipfile.ZipInfo("metadata.json", _NO_TIME), metadata)
            archive.writestr(zipfile.ZipInfo("config.json", _NO_TIME), json.dumps(config))
            member = zipfile.ZipInfo("model.weights.h5", _NO_TIME)
            member.file_size = weights.stat().st_size
            with weights.open("rb") as source, archive.open(member, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)


def _training_state(model: keras.Model) -> list[object]:
    """Lists the parts of a compiled model that deploy nothing: the optimizer and the metrics."""
    optimizer = getattr(model, "optimizer", None)
    return [*([] if optimizer is None else [optimizer]), *model.metrics]


def _check_no_assets(model: keras.Model) -> None:
    """Refuses layers that keep files of their own, such as vocabularies: they would be lost."""
    for layer in _keras_internals.all_layers(model):
        if hasattr(layer, "save_assets"):
            raise ModelError(
                f"The layer {layer.name!r} ({type(layer).__name__}) keeps files of its own beside the "
                "weights, which Trimtab does not save. Take it out of the model."
            )
