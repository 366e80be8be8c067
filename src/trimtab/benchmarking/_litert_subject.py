"""A deployable LiteRT file under measurement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trimtab.benchmarking._macs_of_file import macs_of_file
from trimtab.benchmarking._measurement import Measurement
from trimtab.benchmarking._memory import interpreter_memory
from trimtab.benchmarking._subject import Subject, TimedCall, file_sizes, read_model_file, subject
from trimtab.errors import ModelError
from trimtab.exporting import Artifact
from trimtab.litert import LiteRTModel

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["LiteRTSubject"]


class LiteRTSubject(Subject):
    """A `.tflite` file.

    Args:
        name: of the subject.
        path: of the file.
        threads: of its interpreters.
        softmax: whether it ends in softmax, where its record says so; None to look at its operators.

    Raises:
        ModelError: there is no such file.
        ConversionError: LiteRT cannot run it.
    """

    kind = "litert"

    def __init__(self, name: str, path: Path, threads: int, softmax: bool | None = None) -> None:
        super().__init__(name)
        self._softmax = softmax
        self._path, self._threads = path, threads
        self._content = read_model_file(path)
        self._model = LiteRTModel(path, threads=threads)

    @property
    def probabilities(self) -> bool:
        """Whether the file ends in softmax."""
        return self._model.ends_in_softmax if self._softmax is None else self._softmax

    def check(self, data: ImageData) -> None:
        """Raises `ModelError` unless the file fits the data."""
        if tuple(self._model.input_shape) != tuple(data.image_shape):
            raise ModelError(
                f"{self.name!r} takes images of shape {tuple(self._model.input_shape)}, but those of "
                f"{data.name} are {tuple(data.image_shape)}. "
                "Load the data with that size and channels, or give another file."
            )
        if self._model.classes != data.classes:
            raise ModelError(
                f"{self.name!r} tells {self._model.classes} classes apart, but {data.name} has "
                f"{data.classes}. Give the data the model was made for, or another file."
            )

    def scores(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Runs the images one by one, as a device does."""
        return np.asarray(self._model(images), np.float32)

    def sizes(self, image_shape: tuple[int, ...]) -> list[Measurement]:  # noqa: ARG002 - the file knows its own
        """Weighs the file and counts what it holds."""
        counted, uncounted = macs_of_file(self._content)
        reason = "Convolutions and matrix products among the file's operators, one image."
        if counted is None:
            reason = (
                f"Not measured: the file has {', '.join(uncounted)}, whose multiplications cannot be counted."
            )
        summary = self._model.summary
        return [
            *file_sizes(self._content, "the .tflite file"),
            Measurement(
                "parameters",
                summary.parameters,
                "count",
                method="Weights and biases stored in the file; what the converter folded is gone.",
            ),
            Measurement(
                "non_zeros",
                summary.non_zeros,
                "count",
                method="The stored weights and biases that are not zero.",
            ),
            Measurement("macs", counted, "count", method=reason),
        ]

    def timed(self, images: npt.NDArray[np.float32]) -> TimedCall:
        """Prepares an interpreter of its own, with the images already in its input."""
        threads = f"{self._threads} thread" + ("s" if self._threads > 1 else "")
        values = self._model.quantize(images)
        try:
            interpreter = self._interpreter(values)
        except (RuntimeError, ValueError):
            if len(images) == 1:
                raise
            one = self._interpreter(values[:1]).invoke
            times = range(len(images))
            return TimedCall(
                lambda: [one() for _ in times],
                len(images),
                f"invoke of the LiteRT interpreter, {threads}, once an image as the file has a fixed batch",
            )
        return TimedCall(
            interpreter.invoke,
            len(images),
            f"invoke of the LiteRT interpreter, {threads}, input already in place",
        )

    def memory(self) -> Measurement:
        """Measures an interpreter of the file in fresh processes."""
        return interpreter_memory(self._path, self._threads)

    def _interpreter(self, values: npt.NDArray[Any]) -> Any:
        """Makes an interpreter for as many images as there are, and gives it these."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=self._content, num_threads=self._threads)
        index = interpreter.get_input_details()[0]["index"]
        if len(values) > 1:
            interpreter.resize_tensor_input(index, values.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, values)
        interpreter.invoke()
        return interpreter


@subject.register(Artifact)
def _of_artifact(source: Artifact, name: str, threads: int) -> Subject:
    """Takes the file that an artifact describes."""
    return LiteRTSubject(name, Path(source.path), threads, softmax=source.softmax == "kept")
