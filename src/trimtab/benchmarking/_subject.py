"""What can be measured: a Keras model or a deployable file, seen the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from trimtab._compression import gzipped
from trimtab.benchmarking._latency import Call
from trimtab.benchmarking._measurement import Measurement
from trimtab.errors import ConfigError, ModelError, nearest

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["Subject", "TimedCall", "file_sizes", "read_model_file", "subject"]


@dataclass(frozen=True)
class TimedCall:
    """A call that is ready to be timed.

    Args:
        call: does the work once.
        images: how many images one call answers.
        means: what is timed, in words.
    """

    call: Call
    images: int
    means: str


class Subject(ABC):
    """One model or file under measurement."""

    kind: ClassVar[str]

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def probabilities(self) -> bool:
        """Whether the scores come out of a softmax; they are logits otherwise."""

    @abstractmethod
    def check(self, data: ImageData) -> None:
        """Raises `ModelError` unless the subject takes the data's images and tells its classes apart."""

    @abstractmethod
    def scores(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Returns the scores (n, classes) of images (n, height, width, channels)."""

    @abstractmethod
    def sizes(self, image_shape: tuple[int, ...]) -> list[Measurement]:
        """Measures bytes, gzip_bytes, parameters, non_zeros and macs, the last for an image of this shape."""

    @abstractmethod
    def timed(self, images: npt.NDArray[np.float32]) -> TimedCall:
        """Prepares a call that answers these images, one or a batch of them."""

    @abstractmethod
    def memory(self) -> Measurement:
        """Measures the peak memory, or says why not."""


@singledispatch
def subject(source: Any, name: str, threads: int) -> Subject:  # noqa: ARG001 - for those that register
    """Makes a subject of a source; sources register themselves by their type.

    Args:
        source: a Keras model, an `Artifact`, or the path of a file.
        name: of the subject.
        threads: of a file's interpreter.

    Raises:
        ConfigError: nobody knows this kind of source.
        ModelError: the file is missing or cannot be read.
    """
    raise ConfigError(
        f"{name!r} cannot be measured: a Keras model, an Artifact or the path of a .keras, .h5 or .tflite "
        f"file is needed. Received: {type(source).__name__}."
    )


@subject.register(str)
@subject.register(Path)
def _of_path(source: str | Path, name: str, threads: int) -> Subject:
    """Chooses by the file's ending."""
    from trimtab.benchmarking._keras_subject import KerasSubject
    from trimtab.benchmarking._litert_subject import LiteRTSubject

    path = Path(source)
    if path.suffix.lower() in (".keras", ".h5", ".hdf5"):
        return KerasSubject.read(name, path)
    if path.suffix.lower() == ".tflite":
        return LiteRTSubject(name, path, threads)
    known = (".keras", ".h5", ".tflite")
    raise ConfigError(
        f"{name!r} cannot be measured: {path.name} ends in none of {', '.join(known)}."
        f"{nearest(path.suffix, known)}"
    )


def read_model_file(path: Path) -> bytes:
    """Reads a model's file whole.

    Raises:
        ModelError: it is not there, or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror or error}). Give the path of a model file that exists."
        ) from error


def file_sizes(content: bytes, which: str) -> list[Measurement]:
    """Measures the bytes of a file's content, as it is and as a download would carry it."""
    packed = len(gzipped(content))
    return [
        Measurement("bytes", len(content), "bytes", method=f"Size of {which}."),
        Measurement("gzip_bytes", packed, "bytes", method=f"Size of the gzip, level 9, of {which}."),
    ]
