"""The files that a model makes, one a scheme, and why it makes none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trimtab import litert, quantization
from trimtab.errors import TrimtabError
from trimtab.exporting._images import stratified
from trimtab.litert import FileSummary, Scheme

if TYPE_CHECKING:
    from trimtab.doctor._examined import Examined
    from trimtab.progress import Progress

__all__ = ["Files", "first_sentence"]

_IMAGES = 16  # sizes and times do not depend on the ranges, so a few images do


class Files:
    """Converts a model as it is now, each scheme once.

    Args:
        examined: the model, and its image size.
        seed: of the images.
        progress: told of each conversion.
    """

    def __init__(self, examined: Examined, seed: int, progress: Progress) -> None:
        self._examined, self._seed, self._progress = examined, seed, progress
        self._made: dict[str, bytes | str] = {}
        self._summary: FileSummary | None = None

    def of(self, scheme: str | Scheme) -> bytes | str:
        """Returns the content of the file in a scheme, or in one sentence why there is none."""
        kind = litert.scheme(scheme)
        if self._examined.image_shape is None:
            return first_sentence(self._examined.reasons["image_shape"])
        if kind.name not in self._made:
            with self._progress.task(f"convert to {kind.name}", 1, "files") as task:
                self._made[kind.name] = self._converted(kind)
                task.advance()
        return self._made[kind.name]

    @property
    def float_summary(self) -> FileSummary | None:
        """What is in the float file; None where there is none."""
        content = self.of("float32")
        if self._summary is None and isinstance(content, bytes):
            self._summary = litert.inspect(content)
        return self._summary

    def images(self, count: int) -> npt.NDArray[np.float32]:
        """Returns training images, or noise where there is no data; the model's image size is known."""
        data, shape = self._examined.data, self._examined.image_shape
        if data is not None:
            return np.asarray(
                data.train.take(stratified(data.train.labels, count, self._seed)).inputs(), np.float32
            )
        return np.random.default_rng(self._seed).random((count, *(shape or ())), dtype=np.float32)

    def _converted(self, scheme: Scheme) -> bytes | str:
        """Makes one file."""
        try:
            # Integer files give logits: a softmax of theirs has steps of 1/256, and `export` refuses it.
            model = self._examined.logits if scheme.static else self._examined.model
            images = self.images(_IMAGES) if scheme.static and not litert.carries_ranges(model) else None
            if scheme.route == "fake-quantized" and images is not None:
                bits = 4 if scheme.weights == "int4" else 8
                model, images = quantization.calibrated(model, images, weights_bits=bits), None
            # Without the names and padding that no runtime reads, as `export` writes it.
            return litert.diet(litert.convert(model, scheme, images, image_shape=self._examined.image_shape))
        except TrimtabError as error:
            return first_sentence(str(error))


def first_sentence(text: str) -> str:
    """Returns the first sentence of a message: what is the matter, without what to do."""
    return text.split(". ")[0].rstrip(".") + "."
