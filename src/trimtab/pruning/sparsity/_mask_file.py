"""Masks in a file: which weights of a model are zero, to be laid over another training of it.

The file is a NumPy archive (``.npz``): a description as JSON, and one bit for each weight. The members
are stored as they are, so that a file can never unpack to more than its own size.
"""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trimtab._atomic import atomic_path
from trimtab.errors import ConfigError, ModelError, nearest
from trimtab.models import clone
from trimtab.pruning.where._prunable import PrunableWeight, as_numpy, check_model, find_weights

__all__ = ["LayerMask", "Masks", "apply_masks", "load_masks", "save_masks"]

_FORMAT, _VERSION = "trimtab masks", 1
_LARGEST_DESCRIPTION = 16 << 20  # bytes; a thousand layers take below one megabyte


@dataclass(frozen=True, eq=False)
class LayerMask:
    """Which numbers of one weight stay.

    Args:
        layer: the layer; inside nested models ``"outer/inner"``.
        weight: the weight inside the layer, such as ``"kernel"``.
        kept: booleans of the weight's shape; False: it is zero.
    """

    layer: str
    weight: str
    kept: np.ndarray


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks of a whole model.

    Args:
        model: name of the model they are of.
        layers: one mask for each weight that may be pruned, in the order of the layers.
    """

    model: str
    layers: tuple[LayerMask, ...]

    @property
    def sparsity(self) -> float:
        """Share of zeros in all masks together."""
        size = sum(mask.kept.size for mask in self.layers)
        return 1 - sum(int(np.count_nonzero(mask.kept)) for mask in self.layers) / size


def save_masks(model: keras.Model, path: str | os.PathLike[str]) -> Masks:
    """Writes down which weights of a model are zero, one bit for each weight that may be pruned.

    Args:
        model: a built Keras 3 model, pruned by whatever means.
        path: the file to write, such as ``"masks.npz"``; whole or not at all.

    Returns:
        The masks.

    Raises:
        ModelError: the model is not a built Keras 3 model, or has no weight that may be pruned.
        OutputError: the file cannot be written.

    Example:
        >>> save_masks(pruned, "masks.npz")
    """
    weights = _weights(model)
    masks = Masks(
        model=str(model.name),
        layers=tuple(
            LayerMask(weight.layer, weight.name, as_numpy(weight.variable) != 0) for weight in weights
        ),
    )
    rows = [[mask.layer, mask.weight, list(mask.kept.shape)] for mask in masks.layers]
    about = {"format": _FORMAT, "version": _VERSION, "model": masks.model, "weights": rows}
    arrays = {f"mask_{index}": np.packbits(mask.kept.reshape(-1)) for index, mask in enumerate(masks.layers)}
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.savez(file, about=np.frombuffer(json.dumps(about).encode(), "uint8"), **arrays)  # type: ignore[arg-type]
    return masks


def load_masks(path: str | os.PathLike[str]) -> Masks:
    """Reads masks that `save_masks` wrote. Nothing in the file is run.

    Args:
        path: the file.

    Raises:
        ModelError: the file is missing, cut off, damaged, or no file of masks; in one line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            with zipfile.ZipFile(file) as archive:
                _check_members(archive, size, path)
                about = _about(archive, path)
                layers = tuple(
                    LayerMask(layer, weight, _mask(archive, index, tuple(shape), path))
                    for index, (layer, weight, shape) in enumerate(about["weights"])
                )
    except FileNotFoundError as error:
        there = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ModelError(f"{path} does not exist.{nearest(path.name, there)}") from error
    except (IsADirectoryError, PermissionError) as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror}. Give a file that save_masks wrote."
        ) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelError(
            f"{path} is no file of masks, or was cut off or damaged while copying ({error}). Get it again, "
            "or write it anew with save_masks."
        ) from error
    return Masks(model=about["model"], layers=layers)


def apply_masks(model: keras.Model, masks: Masks) -> keras.Model:
    """Returns a new model whose weights are zero wherever the masks are; the given one is untouched.

    So the zeros that one training has found can be laid over another: over the weights that the training
    began with (the lottery ticket of Frankle and Carbin 2019), or over a checkpoint. Train on with
    `keep_zeros`, or the zeros will not last.

    Layers are matched in their order, by name; the numbers that Keras adds to names by itself
    (``conv2d_3``) do not count, so that a model built twice fits its masks.

    Args:
        model: a built Keras 3 model of the architecture that the masks were taken from.
        masks: what `load_masks` or `save_masks` gave.

    Raises:
        ConfigError: `masks` is something else, such as the path of a file.
        ModelError: the masks are of another model; the message names the first difference.

    Example:
        >>> ticket = apply_masks(untrained, load_masks("masks.npz"))
    """
    given: Any = masks
    if not isinstance(given, Masks):
        hint = f" Give load_masks({str(given)!r})." if isinstance(given, str | os.PathLike) else ""
        raise ConfigError(
            f"apply_masks needs masks that load_masks or save_masks gave, but got {type(given).__name__}."
            f"{hint}"
        )
    _check_same(model, _weights(model), masks)
    model = clone(model)
    for weight, mask in zip(_weights(model), masks.layers, strict=True):
        values = keras.ops.convert_to_tensor(weight.variable)
        # Not a product: zero times infinity would be no number.
        kept = keras.ops.convert_to_tensor(mask.kept)
        weight.variable.assign(keras.ops.where(kept, values, keras.ops.zeros_like(values)))
    return model


def _weights(model: keras.Model) -> list[PrunableWeight]:
    """Returns the weights of a model that may be pruned; there must be some."""
    check_model(model)
    weights, _ = find_weights(model)
    if not weights:
        raise ModelError(f"The model {model.name!r} has no weight that may be pruned, so it has no masks.")
    return weights


def _check_same(model: keras.Model, weights: Sequence[PrunableWeight], masks: Masks) -> None:
    """Raises `ModelError` that names the first difference between a model and the one masks are of."""
    start = f"The masks are of another model ({masks.model!r}) than {model.name!r}: "
    for place, (weight, mask) in enumerate(zip(weights, masks.layers, strict=False), start=1):
        here = (_unnumbered(weight.layer), weight.name, weight.shape)
        if here != (_unnumbered(mask.layer), mask.weight, mask.kept.shape):
            raise ModelError(
                f"{start}weight {place} is {mask.layer}/{mask.weight} of shape {mask.kept.shape} in the "
                f"masks, but {weight.layer}/{weight.name} of shape {weight.shape} in the model. Give the "
                "model that the masks were saved from, or one built alike."
            )
    if len(weights) != len(masks.layers):
        raise ModelError(
            f"{start}they are of {len(masks.layers)} weights, and the model has {len(weights)} that may be "
            "pruned. Give the model that the masks were saved from, or one built alike."
        )


def _unnumbered(name: str) -> str:
    """Returns a layer's path without the numbers at the end of its names."""
    return "/".join(re.sub(r"_\d+$", "", piece) for piece in name.split("/"))


def _check_members(archive: zipfile.ZipFile, size: int, path: Path) -> None:
    """Raises `ModelError` where members are packed, or would be larger than the file itself."""
    members = archive.infolist()
    if "about.npy" not in archive.namelist():
        raise ModelError(f"{path} is an archive, but no file of masks. Give a file that save_masks wrote.")
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    total = sum(member.file_size for member in members)
    if packed or total > size or archive.getinfo("about.npy").file_size > _LARGEST_DESCRIPTION:
        raise ModelError(
            f"{path} is no file of masks as save_masks writes it: it would unpack to {total:,} bytes from "
            f"{size:,}. Write it anew with save_masks."
        )


def _about(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """Reads the description; raises `ModelError` where it is not one."""
    try:
        about = json.loads(_bytes(archive, "about").tobytes())
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is damaged: its description is not JSON. Write it anew with save_masks."
        ) from error
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise ModelError(f"{path} is an archive, but no file of masks. Give a file that save_masks wrote.")
    if about.get("version") != _VERSION:
        raise ModelError(
            f"{path} holds masks of version {about.get('version')!r}, and this Trimtab reads version "
            f"{_VERSION}. Update Trimtab, or write the file anew."
        )
    rows = about.get("weights")
    if not isinstance(about.get("model"), str) or not isinstance(rows, list) or not rows:
        raise ModelError(f"{path} is damaged: it lists no weights. Write it anew with save_masks.")
    if not all(_is_row(row) for row in rows):
        raise ModelError(
            f"{path} is damaged: its list of weights makes no sense. Write it anew with save_masks."
        )
    return about


def _is_row(row: Any) -> bool:
    """Tells whether a row of the description is a layer, a weight and a shape."""
    if not isinstance(row, list) or len(row) != 3 or not all(isinstance(name, str) for name in row[:2]):
        return False
    shape = row[2]
    lengths = isinstance(shape, list) and len(shape) <= 32
    return lengths and all(type(length) is int and 0 < length < 2**40 for length in shape)


def _mask(archive: zipfile.ZipFile, index: int, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """Reads one mask; raises `ModelError` where it has not as many bits as its weight has numbers."""
    size = math.prod(shape)
    try:
        packed = _bytes(archive, f"mask_{index}")
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{path} is damaged: mask {index + 1} is missing or broken. Get it again."
        ) from error
    if packed.size != (size + 7) // 8:
        raise ModelError(
            f"{path} is damaged: mask {index + 1} has {packed.size} bytes, but shape {shape} needs "
            f"{(size + 7) // 8}. Get it again."
        )
    return np.unpackbits(packed, count=size).astype(bool).reshape(shape)


def _bytes(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Reads one flat array of bytes; raises `ValueError` where it is another kind of array."""
    content = archive.read(f"{name}.npy")
    start = 10 + int.from_bytes(content[8:10], "little")
    array = np.frombuffer(content[start:], "uint8")
    # Compared, not parsed: what NumPy's parser makes of a forged header has no bounds.
    wanted = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({array.size},), }}"
    if content[:8] != b"\x93NUMPY\x01\x00" or content[10:start].decode("latin-1").rstrip() != wanted:
        raise ValueError(f"{name} is no flat array of {array.size} bytes")
    return array
