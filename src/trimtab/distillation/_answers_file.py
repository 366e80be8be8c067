"""A teacher's answers on disk, so that a continued training or another student need not ask again."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trimtab._atomic import atomic_path
from trimtab.training._checkpoint import DAMAGED

__all__ = ["AnswersFile"]

_FORMAT = 1
_META = "answers.json"
_NAMES = ("logits", "features")


class AnswersFile:
    """One teacher's answers to all training images in one view, as an ordinary `.npz` without pickles.

    The file's name is a digest of what the answers depend on, which the file also tells.

    Args:
        folder: where the file is.
        belongs_to: what the answers depend on (teacher, data, augmentation, backend), as plain data.
    """

    def __init__(self, folder: str | os.PathLike[str], belongs_to: Mapping[str, Any]) -> None:
        self._told = json.dumps({"format": _FORMAT, **belongs_to}, sort_keys=True)
        key = hashlib.sha256(self._told.encode()).hexdigest()[:20]
        self.path = Path(folder) / f"teacher-{key}.npz"

    def read(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, npt.NDArray[Any]] | None:
        """Returns the arrays; None where there is no file, or a damaged one, or one of something else."""
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as file:
                told = file[_META].tobytes().decode()
                arrays = {name: np.asarray(file[name]) for name in _NAMES}
        except (MemoryError, *DAMAGED):
            return None
        fits = told == self._told and all(arrays[name].shape == shape for name, shape in shapes.items())
        return arrays if fits else None

    def write(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes the arrays, whole or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        meta = {_META: np.frombuffer(self._told.encode(), np.uint8)}
        whole: dict[str, Any] = {**meta, **arrays}
        with atomic_path(self.path) as partial, partial.open("wb") as file:
            np.savez(file, **whole)
