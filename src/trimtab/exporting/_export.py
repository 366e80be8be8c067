"""From a Keras model to a file on disk that was proved to compute the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np

from trimtab import _atomic, litert, models
from trimtab._compression import gzipped
from trimtab._version import __version__
from trimtab._versions import version_of
from trimtab.errors import ConfigError, ModelError, ParityError, nearest
from trimtab.exporting._artifact import Artifact, previous_compressed, record_path
from trimtab.exporting._images import calibration_images, parity_images
from trimtab.exporting._writing import write_set
from trimtab.litert import Parity, Scheme
from trimtab.litert._signature import image_shape_of
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["export"]

_SOFTMAX = ("refuse", "strip", "keep")
_PACKAGES = ("keras", "tensorflow", "ai-edge-litert")


@dataclass(frozen=True)
class _Images:
    """The images that a file is made and proved with."""

    calibration: np.ndarray | None
    record: Mapping[str, Any] | None
    proof: np.ndarray
    proof_from: str


@dataclass(frozen=True)
class _Proved:
    """A file's content, proved, and how it was made."""

    content: bytes
    scheme: Scheme
    softmax: str
    parity: Parity
    images: _Images


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    scheme: str | Scheme = "float32",
    data: ImageData | None = None,
    *,
    calibration: int = 200,
    softmax: Literal["refuse", "strip", "keep"] = "refuse",
    compress: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Artifact:
    """Converts a Keras model to a LiteRT file, proves it, and only then writes it.

    The file is run beside the model on validation images: outputs, predicted classes, and the size
    against the parameters must agree, or nothing is written. The model stays as it is. The record of
    all this is written beside the file, as ``<path>.json``.

    Args:
        model: a built image classifier.
        path: the `.tflite` file to write.
        scheme: ``"float32"``, ``"float16"``, ``"dynamic-int8"`` (int8 kernels) or ``"int8"`` (all integers,
            input and output too).
        data: calibrates int8 with training images, and proves the file with validation images; the test
            images are not touched. Without it, float schemes are proved with random images in 0..1.
        calibration: training images to calibrate int8 with, the same share of every class.
        softmax: what is done where the model ends in softmax. An int8 softmax has fixed steps of 1/256,
            too coarse to rank or to measure a loss with; so ``"refuse"`` refuses int8. ``"strip"`` exports
            the logits (in any scheme). ``"keep"`` exports it as it is. Float files keep it unless stripped.
        compress: also write ``<path>.gz``, the same bytes each time.
        seed: of the choice of images.
        progress: where progress is shown.

    Raises:
        ConfigError: an argument makes no sense, or int8 has no data.
        ModelError: the model is no image classifier for this data, or int8 meets a softmax.
        ConversionError: the converter refused the model.
        ParityError: the file does not compute what the model computes.
        OutputError: the file cannot be written.

    Example::

        artifact = trimtab.export(model, "digits.tflite", scheme="int8", data=data)
        print(artifact.bytes, artifact.parity.top1_agreement)
    """
    kind = litert.scheme(scheme)
    path = _checked_path(path, softmax)
    _check_seed(seed)
    if data is not None:
        models.check_fits(model, data)
    shape = image_shape_of(model, data.image_shape if data is not None else None)
    source, ending = _without_refused_softmax(model, kind, softmax)
    images = _images(data, kind, calibration, shape, seed)
    _atomic.make_folder(path.parent)
    with (progress or Silent()).task(f"export {path.name}", total=3, unit="steps") as task:
        content = litert.convert(source, kind, images.calibration, image_shape=shape)
        task.advance(1, "converted")
        parity = _parity(source, content, images.proof, kind, path)
        task.advance(1, "proved")
        artifact = _write(model, path, _Proved(content, kind, ending, parity, images), data, compress)
        task.advance(1, "written")
    return artifact


def _checked_path(path: str | os.PathLike[str], softmax: str) -> Path:
    """Checks the arguments that need no model."""
    if softmax not in _SOFTMAX:
        raise ConfigError(
            f"softmax is one of {', '.join(_SOFTMAX)}. Received: {softmax!r}."
            f"{nearest(str(softmax), _SOFTMAX)}"
        )
    path = Path(path)
    if path.suffix != ".tflite":
        raise ConfigError(
            f"A LiteRT file's name ends in .tflite. Received: {str(path)!r}. Write "
            f"{str(path.with_suffix('.tflite'))!r}, say."
        )
    return path


def _check_seed(seed: int) -> None:
    """Raises `ConfigError` for what is no seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed must be a whole number of 0 or more. Received: seed={seed!r}.")


def _without_refused_softmax(model: keras.Model, scheme: Scheme, softmax: str) -> tuple[keras.Model, str]:
    """Returns the model to convert, and what became of its softmax.

    Raises:
        ModelError: an int8 file would end in softmax.
    """
    if not models.has_softmax(model):
        return model, "none"
    if softmax == "strip":
        return models.without_softmax(model), "stripped"
    if scheme.static and softmax == "refuse":
        raise ModelError(
            f"Model {model.name!r} ends in softmax, which int8 rounds to steps of 1/256. Export with "
            "softmax='strip' (--softmax strip) to get the logits (same classes), "
            "or softmax='keep' to have it all the same."
        )
    return model, "kept"


def _images(
    data: ImageData | None, scheme: Scheme, calibration: int, shape: tuple[int, int, int], seed: int
) -> _Images:
    """Picks the images."""
    chosen, record, used = None, None, None
    if scheme.static:
        chosen, record, used = calibration_images(data, calibration, seed)
    proof, proof_from = parity_images(data, shape, seed, used)
    return _Images(chosen, record, proof, proof_from)


def _parity(model: keras.Model, content: bytes, images: np.ndarray, scheme: Scheme, path: Path) -> Parity:
    """Returns the passed parity check.

    Raises:
        ParityError: it did not pass.
    """
    parity = litert.check_parity(model, content, images, scheme)
    if not parity.passed:
        raise ParityError(
            f"{path.name} ({scheme.name}) was refused, and not written: {parity.reason} (Compared with model "
            f"{model.name!r} on {parity.images} images.)"
        )
    return parity


def _write(
    model: keras.Model, path: Path, proved: _Proved, data: ImageData | None, compress: bool
) -> Artifact:
    """Writes file, compressed file and record, and returns the record."""
    content, summary = proved.content, litert.inspect(proved.content)
    zipped = gzipped(content)
    compressed = path.with_name(path.name + ".gz") if compress else None
    artifact = Artifact(
        path=path,
        scheme=proved.scheme.name,
        bytes=len(content),
        gzip_bytes=len(zipped),
        sha256=hashlib.sha256(content).hexdigest(),
        parameters=summary.parameters,
        non_zeros=summary.non_zeros,
        model_parameters=models.parameters(model),
        model_non_zeros=models.non_zeros(model),
        parity=proved.parity,
        parity_images=proved.images.proof_from,
        calibration=proved.images.record,
        softmax=proved.softmax,
        versions={"trimtab": __version__, **{name: version_of(name) for name in _PACKAGES}},
        model=model.name,
        model_digest=models.model_digest(model),
        data={"name": data.name, "digest": data.digest} if data is not None else None,
        compressed=compressed,
        notes=_notes(model, proved.softmax, proved.images),
    )
    stale = previous_compressed(path)
    files = {path: content}
    if compressed is not None:
        files[compressed] = zipped
    write_set({**files, record_path(path): artifact.record()})
    if stale is not None and stale != compressed:
        stale.unlink(missing_ok=True)  # it holds the file that was just replaced
    return artifact


def _notes(model: keras.Model, softmax: str, images: _Images) -> tuple[str, ...]:
    """Says what else there is to know."""
    notes = []
    if softmax == "stripped":
        notes.append("The softmax was taken off: the file gives logits, whose largest is the same class.")
    zeros = 1 - models.non_zeros(model) / max(models.parameters(model), 1)
    if zeros > 0.3:
        notes.append(
            f"{zeros:.0%} of the model's weights are 0: that shrinks the compressed file, not this one."
        )
    if images.proof_from == "random":
        notes.append("No data was given: the file was proved with random images in 0..1.")
    return tuple(notes)
