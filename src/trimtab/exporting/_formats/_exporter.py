"""What every format that Keras itself exports has in common: written to a folder, run, weighed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trimtab._quiet import quiet_native_logs
from trimtab.errors import ConversionError, MissingExtraError, first_line

__all__ = ["Answers", "Exporter", "in_batches", "library", "make_and_run"]

_BATCH = 64
Run = Callable[[Path, np.ndarray], "Answers"]
Write = Callable[[keras.Model, Path, tuple[int, int, int]], None]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a file said when it was run, and what it holds.

    Args:
        scores: of each image, float32 (n, classes).
        parameters: float numbers that the file stores.
        non_zeros: numbers among them that are not 0.
        weight_bytes: bytes that they take.
    """

    scores: np.ndarray
    parameters: int
    non_zeros: int
    weight_bytes: int

    @classmethod
    def weighed(cls, scores: Any, stored: Iterable[np.ndarray]) -> Answers:
        """Makes answers of scores and the float arrays in the file."""
        parameters = non_zeros = weight_bytes = 0
        for values in stored:
            parameters += values.size
            non_zeros += int(np.count_nonzero(values))
            weight_bytes += values.nbytes
        return cls(np.asarray(scores, np.float32), parameters, non_zeros, weight_bytes)


@dataclass(frozen=True)
class Exporter:
    """A format that a Keras model is written in.

    Args:
        name: as `trimtab.export` calls it.
        title: what people call it.
        ending: of the file's name.
        parts: endings of the other files that belong to it.
        extra: Trimtab's extra that installs what it needs.
        packages: what it needs, by the names under which they are imported.
        backend: the Keras backend that its exporter runs on; where Keras runs on another, a process of its
            own does the work.
        write: writes the model, for images of a shape, to a path. Keras' own exporter.
        run: runs the file at a path on images, float32 (n, height, width, channels), on one thread.
    """

    name: str
    title: str
    ending: str
    parts: tuple[str, ...]
    extra: str
    packages: tuple[str, ...]
    backend: str
    write: Write
    run: Run

    def check_installed(self) -> None:
        """Raises `MissingExtraError` where a package is missing, before any work."""
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                raise MissingExtraError(package, self.extra, f"to write {self.title} files")

    def files(self, path: Path) -> tuple[Path, ...]:
        """Returns the files that make up the one at `path`, that one first."""
        return (path, *(path.with_suffix(part) for part in self.parts))


def make_and_run(
    model: keras.Model, exporter: Exporter, path: Path, image_shape: tuple[int, int, int], images: np.ndarray
) -> Answers:
    """Writes a model to `path` and runs what was written, in this process.

    Raises:
        ConversionError: the exporter refused the model, or the runtime the file.
    """
    with _quietly():
        try:
            exporter.write(model, path, image_shape)
        except OSError:
            raise  # the folder is full: told by whoever made it
        except Exception as error:
            raise ConversionError(
                f"Model {model.name!r} cannot be written as {exporter.title}: {first_line(error)}. Try "
                "another format; a LiteRT file shows whether the model converts at all."
            ) from error
        try:
            return exporter.run(path, images)
        except Exception as error:
            raise ConversionError(
                f"The {exporter.title} file of model {model.name!r} does not run: {first_line(error)}. It "
                "was not written; try another format."
            ) from error


def library(name: str) -> Any:
    """Imports an optional library when it is needed; `check_installed` has told whether it is there."""
    return importlib.import_module(name)


def in_batches(answer: Callable[[np.ndarray], Any], images: np.ndarray) -> np.ndarray:
    """Returns what `answer` gives for images, a bounded number at a time."""
    return np.concatenate(
        [np.asarray(answer(images[at : at + _BATCH])) for at in range(0, len(images), _BATCH)]
    )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keeps the chatter of converters away: log lines, warnings, native logs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet_native_logs(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converters' own, which users cannot mend
            yield
    finally:
        logging.disable(before)
