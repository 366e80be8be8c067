"""A deployable file, and the record that says where it came from and what it passed."""

from __future__ import annotations

import builtins
import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab import _atomic
from trimtab._records import to_plain
from trimtab.errors import ModelError

if TYPE_CHECKING:
    from trimtab.litert import Parity

__all__ = ["Artifact", "previous_compressed", "record_path"]

FORMAT = 1


@dataclass(frozen=True)
class Artifact:
    """A file for a device, with its provenance and the parity check that it passed.

    Its record lies beside it, as ``<path>.json``; `Artifact.read` reads it back.

    Args:
        path: the file: a `.tflite` one, or that of another format.
        scheme: name of its scheme, such as ``"int8"``.
        bytes: its length; that of all files where there are `parts`, of the array where it is C.
        gzip_bytes: its length when compressed with gzip, level 9.
        sha256: SHA-256 of its content, in hex.
        parameters: numbers in its weights and biases, batch norm folded.
        non_zeros: numbers among them that are not 0.
        model_parameters: numbers in the Keras model's weights.
        model_non_zeros: numbers among those that are not 0: what pruning left.
        parity: the check it passed.
        parity_images: where the images of the check came from: ``"validation"``, ``"train"`` or ``"random"``.
        calibration: number, seed, digest, images of each class and method of the calibration by training
            images, and what repairs were tried; None where the file needed none.
        softmax: ``"none"`` where the model gives logits, else ``"kept"`` or ``"stripped"``.
        versions: of trimtab, keras, tensorflow and ai-edge-litert; None where a package has another name.
        model: the Keras model's name.
        model_digest: digest of its architecture and weights (see `trimtab.models.model_digest`).
        data: name and digest of the data; None where none was given.
        compressed: the `.gz` beside the file; None where none was asked for.
        notes: what else there is to know, a line each.
        file_format: ``"litert"``, ``"onnx"``, ``"openvino"``, ``"torch"`` or ``"c"``.
        parts: the other files that belong to it, by name, with their SHA-256 in hex.
        route: what made it: ``"converter"``, ``"fake-quantized"`` (the converter, from a model that carries
            its ranges), ``"edge-quantizer"``; another format's has its name.
        undieted_bytes: its length before names, padding and the like were left out; None where nothing was.
    """

    path: Path
    scheme: str
    bytes: int
    gzip_bytes: int
    sha256: str
    parameters: int
    non_zeros: int
    model_parameters: int
    model_non_zeros: int
    parity: Parity
    parity_images: str
    calibration: Mapping[str, Any] | None
    softmax: str
    versions: Mapping[str, str | None]
    model: str
    model_digest: str
    data: Mapping[str, str] | None = None
    compressed: Path | None = None
    notes: tuple[str, ...] = ()
    file_format: str = "litert"
    parts: Mapping[str, str] = field(default_factory=dict)
    route: str = "converter"
    undieted_bytes: int | None = None

    def write(self) -> None:
        """Writes its record beside the file."""
        _atomic.write_bytes(record_path(self.path), self.record())

    def record(self) -> builtins.bytes:
        """Returns the content of its record; file names in it are relative, so that both can move."""
        record = to_plain(self)
        record["path"] = self.path.name
        record["compressed"] = self.compressed.name if self.compressed else None
        return (json.dumps({"format": FORMAT, **record}, indent=2, allow_nan=False) + "\n").encode()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Artifact:
        """Reads the record of a file, and makes sure that the file is still the one it describes.

        Args:
            path: the file, or its `.json` record.

        Raises:
            ModelError: there is no file or no record, the record is damaged, or the file is another one.
        """
        path = Path(path)
        if path.suffix == ".json":
            path = path.with_suffix("")
        record = _read_record(path)
        artifact = cls._from_record(path, record)
        for name, wanted in {path.name: artifact.sha256, **artifact.parts}.items():
            place = path.with_name(name)
            found = hashlib.sha256(_read(place)).hexdigest()
            if found != wanted:
                raise ModelError(
                    f"{place} is not the file that was checked: its SHA-256 is {found[:12]}..., its record "
                    f"says {wanted[:12]}... Export the model again, or measure the file without its record."
                )
        return artifact

    @classmethod
    def _from_record(cls, path: Path, record: dict[str, Any]) -> Artifact:
        """Makes the artifact out of its record."""
        from trimtab.litert import Parity

        try:
            checked = dict(record["parity"])
            for name in ("expected_weight_bytes", "float_tensors"):
                checked[name] = tuple(checked[name])
            known = {field.name for field in dataclasses.fields(cls)}
            values = {name: value for name, value in record.items() if name in known}
            values.update(
                path=path,
                parity=Parity(**checked),
                compressed=path.with_name(record["compressed"]) if record["compressed"] else None,
                notes=tuple(record["notes"]),
                parts={
                    _file_name(name): str(digest) for name, digest in dict(record.get("parts", {})).items()
                },
            )
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{record_path(path)} is not a record of an exported file ({error}). Export the model again."
            ) from error


def record_path(path: Path) -> Path:
    """Returns where the record of a file lies: ``digits.tflite.json`` for ``digits.tflite``."""
    return path.with_name(path.name + ".json")


def previous_compressed(path: Path) -> Path | None:
    """Returns the compressed file that an earlier export to `path` wrote, by its record."""
    try:
        name = _read_record(path).get("compressed")
    except ModelError:
        return None
    # Never a file of another name: a record is only a file, which anybody may have edited.
    return path.with_name(name) if name == path.name + ".gz" else None


def _file_name(name: str) -> str:
    """Returns a name out of a record, which is only a file: anybody may have edited it to say a folder."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is no file name")
    return name


def _read(path: Path) -> bytes:
    """Returns a file's content."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}. Export the model again.") from error


def _read_record(path: Path) -> dict[str, Any]:
    """Reads the JSON beside `path`."""
    place = record_path(path)
    try:
        record = json.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{place} cannot be read: {error.strerror}. It is written beside each file that trimtab.export "
            "makes; keep the two together."
        ) from error
    except ValueError as error:
        raise ModelError(f"{place} is damaged: {error}. Export the model again.") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ModelError(
            f"{place} is not a record of format {FORMAT}, which this version reads. Export the model again."
        )
    return record
