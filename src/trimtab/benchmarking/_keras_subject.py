"""A Keras model under measurement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt

from trimtab._temporary import temporary_folder
from trimtab.benchmarking._compiled_call import CompiledCall, compiled_call
from trimtab.benchmarking._measurement import Measurement
from trimtab.benchmarking._subject import Subject, TimedCall, file_sizes, read_model_file, subject
from trimtab.models import (
    check_fits,
    has_softmax,
    load_model,
    macs_per_layer,
    non_zeros,
    parameters,
    save_model,
)

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["KerasSubject"]

_BATCH = 256


class KerasSubject(Subject):
    """A Keras model in memory, or read from a file.

    Args:
        name: of the subject.
        model: the model; it is not changed.
        path: of the file it came from; None where it has none.
    """

    kind = "keras"

    def __init__(self, name: str, model: keras.Model, path: Path | None = None) -> None:
        super().__init__(name)
        self._model, self._path = model, path
        self._call: CompiledCall | None = None

    @classmethod
    def read(cls, name: str, path: Path) -> KerasSubject:
        """Reads a `.keras` or `.h5` file; raises `ModelError` where that cannot be done."""
        return cls(name, load_model(path), path)

    @property
    def probabilities(self) -> bool:
        """Whether the model ends in softmax."""
        return has_softmax(self._model)

    def check(self, data: ImageData) -> None:
        """Raises `ModelError` unless the model fits the data."""
        check_fits(self._model, data)

    def scores(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Computes the scores in batches of one size, the last one filled up: one compilation serves all."""
        size = self._batch_size()
        if self._call is None:
            self._call = compiled_call(self._model, (size, *images.shape[1:]))
        parts = []
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            missing = size - len(batch)
            filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
            parts.append(self._call(filled)[: len(batch)])
        return np.concatenate(parts)

    def sizes(self, image_shape: tuple[int, ...]) -> list[Measurement]:
        """Weighs the file and counts the weights."""
        costs = macs_per_layer(self._model, image_shape)
        unknown = [cost for cost in costs if cost.macs is None]
        counted = None if unknown else sum(cost.macs or 0 for cost in costs)
        reason = "Convolutions and dense layers of the Keras model, one image."
        if unknown:
            reason = f"Not measured: the layer {unknown[0].name!r} cannot be counted ({unknown[0].reason})."
        return [
            *file_sizes(*self._content()),
            Measurement(
                "parameters", parameters(self._model), "count", method="All weights, trainable or not."
            ),
            Measurement(
                "non_zeros", non_zeros(self._model), "count", method="The weights that are not zero."
            ),
            Measurement("macs", counted, "count", method=reason),
        ]

    def timed(self, images: npt.NDArray[np.float32]) -> TimedCall:
        """Compiles the model for just these images, which are put in place beforehand."""
        compiled = compiled_call(self._model, images.shape)
        placed, run = compiled.place(images), compiled.run
        return TimedCall(lambda: run(placed), len(images), f"{compiled.means}, input already in place")

    def memory(self) -> Measurement:
        """Says why there is no number."""
        return Measurement(
            "peak_memory_bytes",
            None,
            "bytes",
            method="Not measured: a Keras model runs inside its framework, whose own memory hides it.",
        )

    def _batch_size(self) -> int:
        """Gives the batch size that the model insists on, or a good one."""
        inputs = getattr(self._model, "inputs", None) or ()
        fixed = inputs[0].shape[0] if inputs else None
        return int(fixed) if fixed else _BATCH

    def _content(self) -> tuple[bytes, str]:
        """Gives the bytes of the model's file, and says which file.

        The model is saved anew even where it came from a file: what training left in that (the optimizer's
        state can be two thirds of it) deploys nothing, and a model in memory is weighed without it.
        """
        which = "the .keras file, saved without optimizer state"
        if self._path is not None:
            which += f" ({self._path.name} itself has {len(read_model_file(self._path)):,} bytes)"
        with temporary_folder() as folder:
            path = folder / "model.keras"
            save_model(self._model, path)
            return read_model_file(path), which


@subject.register(keras.Model)
def _of_model(source: keras.Model, name: str, threads: int) -> Subject:  # noqa: ARG001 - the framework's own
    """Takes a model in memory."""
    return KerasSubject(name, source)
