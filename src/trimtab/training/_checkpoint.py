"""A training on disk: one file, written after each epoch, from which it continues (bit for bit on a CPU).

The file is an ordinary `.npz`: arrays, and a JSON text as an array of bytes. Nothing in it is pickled,
and nothing in it is ever run. Whatever kills the process, the file holds one whole epoch's state.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trimtab._atomic import atomic_path
from trimtab.errors import RunError
from trimtab.training._state import TrainingState

__all__ = ["DAMAGED", "Checkpoint", "architecture_digest", "config_digest", "weights_digest"]

_FORMAT = 1
_META = "training.json"
_WEIGHTS = "starting weights"


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps its state, and which training it is.

    Args:
        path: the file; made by the first `write`.
        belongs_to: what makes this training this one (arguments, data, architecture), as plain data.
            A file that says otherwise is refused, never overwritten.
        model: the model's variables, random states included.
        weights: the model's weight variables, to which best weights belong.
        optimizer: the optimizer's variables, those of wrapped optimizers included.
        continues: digest of the weights from which the model came to those it has now, where that is known.
    """

    path: Path
    belongs_to: dict[str, Any]
    model: Sequence[Any] = field(repr=False)
    weights: Sequence[Any] = field(repr=False)
    optimizer: Sequence[Any] = field(repr=False)
    continues: str = ""

    def write(self, state: TrainingState) -> None:
        """Writes the variables and the state, whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        meta = {"format": _FORMAT, "belongs_to": self.belongs_to, "state": state.to_plain()}
        arrays: dict[str, Any] = {_META: np.frombuffer(json.dumps(meta).encode(), np.uint8)}
        best = state.best_weights or ()
        groups = {"model": self.model, "optimizer": self.optimizer, "best": best}
        for group, values in groups.items():
            for index, value in enumerate(values):
                arrays[f"{group}.{index}"] = np.asarray(value)
        with atomic_path(self.path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    def restore(self, state: TrainingState) -> str:
        """Sets the variables and the state as the file has them, in place.

        Returns:
            A sentence that says what was done; empty where there is no file.

        Raises:
            RunError: the file belongs to another training or a newer Trimtab, or cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return ""
        except OSError as error:  # the training that it holds may be whole
            raise RunError(
                f"checkpoint {self.path} cannot be read ({error.strerror or error}). "
                "Check its permissions and the disk, or name another checkpoint."
            ) from error
        try:
            meta, arrays = _parsed(content)
            self._refuse_newer(int(meta["format"]))
            self._refuse_another(dict(meta["belongs_to"]))
            model = _values("model", self.model, arrays)
            optimizer = _values("optimizer", self.optimizer, arrays)
            best = _values("best", self.weights, arrays) if "best.0" in arrays else None
            restored = TrainingState.of_plain(meta["state"], best)
        except MemoryError as error:
            raise RunError(
                f"checkpoint {self.path} asks for more memory than there is. "
                "Free some, or delete it to begin anew."
            ) from error
        except DAMAGED:
            return f"the checkpoint {self.path.name} is damaged and was not used; training began anew"
        state.become(restored)
        for variable, value in zip([*self.model, *self.optimizer], [*model, *optimizer], strict=True):
            variable.assign(value)
        return f"continued after epoch {state.done} from the checkpoint {self.path.name}"

    def remove(self) -> None:
        """Removes the file, if there is one."""
        self.path.unlink(missing_ok=True)

    def _refuse_newer(self, version: int) -> None:
        """Raises `RunError` where the file was written in a later form of the file than is known here."""
        if version > _FORMAT:
            raise RunError(
                f"checkpoint {self.path} has format {version}, of a newer Trimtab; format {_FORMAT} was "
                "needed. Continue with that version, or name another checkpoint."
            )

    def _refuse_another(self, saved: dict[str, Any]) -> None:
        """Raises `RunError` where the file tells of another training, and says what differs."""
        if saved.get(_WEIGHTS) and saved[_WEIGHTS] == self.continues:
            self.belongs_to[_WEIGHTS] = self.continues
        asked = json.loads(json.dumps(self.belongs_to))
        differs = [name for name in {**saved, **asked} if saved.get(name) != asked.get(name)]
        if differs == [_WEIGHTS]:
            raise RunError(
                f"checkpoint {self.path} belongs to a training that began from other weights. Give the model "
                "as it was before that training, delete the checkpoint to begin anew, or name another one."
            )
        if differs:
            name = differs[0]
            values = f"{saved.get(name)!r} there, {asked.get(name)!r} here"
            raise RunError(
                f"checkpoint {self.path} belongs to another training ({name}: {values}). "
                "Delete it to begin anew, or name another checkpoint."
            )


# What zip, NumPy and JSON raise for bytes that are not theirs. The file was read before: an `OSError` here
# is a seek to where nothing is, no trouble with the disk.
DAMAGED = (
    AttributeError, EOFError, IndexError, KeyError, NotImplementedError, OSError, OverflowError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def _parsed(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the JSON and the arrays of a checkpoint; every byte is checked by the zip's own sums."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(arrays.pop(_META).tobytes()), arrays


def _values(group: str, variables: Sequence[Any], arrays: dict[str, Any]) -> list[Any]:
    """Returns the arrays that belong to these variables, in the variables' own types."""
    values = []
    for index, variable in enumerate(variables):
        value = arrays[f"{group}.{index}"]
        if value.shape != tuple(variable.shape):
            raise ValueError(f"{group}.{index} has shape {value.shape}")
        if value.dtype.kind == "V":  # NumPy's files know no bfloat16, only its bits
            value = value.view(np.asarray(variable).dtype)
        values.append(value)
    return values


def config_digest(config: Any) -> str:
    """Returns a short digest of a Keras config that is the same for every name Keras made up."""
    text = json.dumps(_nameless(config), sort_keys=True, default=_told)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def architecture_digest(model: Any) -> str:
    """Returns a short digest of the model's layers and the shapes of its weights, without their values."""
    layers = [(type(layer).__name__, _config(layer), layer.trainable) for layer in model.layers]
    shapes = [(tuple(weight.shape), weight.dtype) for weight in model.weights]
    return config_digest([layers, shapes])


def weights_digest(model: Any) -> str:
    """Returns a short digest of the values of a model's weights, whatever the weights are called.

    Unlike `trimtab.models.model_digest` it leaves out Keras' made-up names, which differ when the same
    code builds the model a second time in one process, and serves models without a config.
    """
    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.asarray(keras.ops.convert_to_numpy(weight))
        digest.update(f"{value.dtype} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]


def _told(value: Any) -> Any:
    """Returns what JSON can say of an object; a `repr` may hold an address, which changes with each run."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else type(value).__name__


def _config(layer: Any) -> Any:
    """Returns the layer's config, or nothing where it has none to give."""
    try:
        return layer.get_config()
    except NotImplementedError:
        return None


# Keras numbers names by what else was built in the process, and a config repeats them in its wiring.
_NAMES = ("name", "keras_history", "input_layers", "output_layers", "inbound_nodes", "registered_name")


def _nameless(config: Any) -> Any:
    """Returns a config without the names in it."""
    if isinstance(config, dict):
        return {str(key): _nameless(value) for key, value in config.items() if key not in _NAMES}
    if isinstance(config, list | tuple):
        return [_nameless(value) for value in config]
    return config
