"""The beginning of a round on disk: what was chosen, and the weights that its fine-tuning starts from.

A choice may rest on a measured time, and no two measurements are equal: what was chosen before a kill must
be what is gone on with. The file is an ordinary `.npz`: arrays, and a JSON text as an array of bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from trimtab._atomic import atomic_path
from trimtab.errors import RunError
from trimtab.training._checkpoint import DAMAGED

__all__ = ["RoundStart", "fill", "read_round", "round_file", "write_round"]

_FORMAT = 1
_META = "round.json"
_STARTING = "starting weights"


@dataclass(frozen=True)
class RoundStart:
    """What a round begins with.

    Args:
        keep: the units of each group that stay, as indices in the model before any round.
        ratio: share of the units to be gone after the last round.
        limit: what was asked for in its plain unit; of a ratio the ratio; None where it was not looked at.
        reached: what was reached of it; None where it was not looked at.
        notes: sentences about the choice.
        weights: the weights of the model after the removal.
    """

    keep: Mapping[str, tuple[int, ...]]
    ratio: float
    limit: float | None
    reached: float | None
    notes: tuple[str, ...]
    weights: Sequence[Any] = field(repr=False)


def round_file(checkpoint: Path, number: int) -> Path:
    """Returns where the beginning of a round is kept, beside the checkpoint of the training under way."""
    return checkpoint.with_name(f"{checkpoint.stem}.start-{number}{checkpoint.suffix}")


def write_round(path: Path, belongs_to: Mapping[str, Any], start: RoundStart) -> None:
    """Writes the beginning of a round, whole or not at all; raises `OutputError` where it cannot."""
    meta = {
        "format": _FORMAT,
        "belongs_to": belongs_to,
        "keep": {name: list(units) for name, units in start.keep.items()},
        "ratio": start.ratio,
        "limit": start.limit,
        "reached": start.reached,
        "notes": list(start.notes),
    }
    arrays: dict[str, Any] = {_META: np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    arrays |= {f"weight.{index}": np.asarray(value) for index, value in enumerate(start.weights)}
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def read_round(path: Path, belongs_to: Mapping[str, Any]) -> RoundStart | None:
    """Returns the beginning of a round that an earlier call wrote; None where there is none that is whole.

    Raises:
        RunError: the file belongs to another pruning or a newer Trimtab, or cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(
            f"checkpoint {path} cannot be read ({error.strerror or error}). Check its permissions and the "
            "disk, or name another checkpoint."
        ) from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays[_META].tobytes())
        version, saved = int(meta["format"]), dict(meta["belongs_to"])
        start = RoundStart(
            {str(name): tuple(int(unit) for unit in units) for name, units in meta["keep"].items()},
            float(meta["ratio"]),
            None if meta["limit"] is None else float(meta["limit"]),
            None if meta["reached"] is None else float(meta["reached"]),
            tuple(str(note) for note in meta["notes"]),
            [arrays[f"weight.{index}"] for index in range(len(arrays) - 1)],
        )
    except DAMAGED:
        return None  # damaged: it is made anew
    if version > _FORMAT:
        raise RunError(
            f"checkpoint {path} has format {version}, of a newer Trimtab; format {_FORMAT} was needed. "
            "Continue with that version, or name another checkpoint."
        )
    _refuse_another(path, saved, json.loads(json.dumps(belongs_to)))
    return start


def _refuse_another(path: Path, saved: dict[str, Any], asked: dict[str, Any]) -> None:
    """Raises `RunError` where the file tells of another pruning, and says what differs."""
    differs = [name for name in {**saved, **asked} if saved.get(name) != asked.get(name)]
    if not differs:
        return
    name = differs[0]
    values = (
        "it began from other weights"
        if name == _STARTING
        else f"{name}: {saved.get(name)!r} there, {asked.get(name)!r} here"
    )
    raise RunError(
        f"checkpoint {path} belongs to another channel pruning ({values}). Delete it and its like to begin "
        "anew, or name another checkpoint."
    )


def fill(model: Any, weights: Sequence[Any]) -> None:
    """Gives a model the weights of a file, in place."""
    for variable, value in zip(model.weights, weights, strict=True):
        if value.dtype.kind == "V":  # NumPy's files know no bfloat16, only its bits
            value = value.view(np.asarray(ops.convert_to_numpy(variable)).dtype)
        variable.assign(value)
