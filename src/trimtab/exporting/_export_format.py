"""From a Keras model to an ONNX, OpenVINO or PyTorch file that was proved to compute the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from trimtab import _atomic, litert, models
from trimtab._compression import gzipped
from trimtab._temporary import temporary_folder
from trimtab._version import __version__
from trimtab._versions import version_of
from trimtab.errors import ConfigError, ModelError, ParityError
from trimtab.exporting._artifact import Artifact, previous_compressed, record_path
from trimtab.exporting._formats import EXPORTERS, Answers, Exporter, make_and_run
from trimtab.exporting._formats._own_process import make_and_run_elsewhere
from trimtab.exporting._images import parity_images
from trimtab.exporting._writing import write_set
from trimtab.litert import Parity, Scheme
from trimtab.litert._parity import compare_outputs, outputs_reason
from trimtab.litert._plain import plain_model
from trimtab.litert._signature import image_shape_of, predict
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["export_format"]

# Bytes of the stored floats, against those of the model's kernels and of all its weights.
_LEAST_SHARE, _MOST_SHARE, _SLACK = 0.5, 1.5, 65_536
_PACKAGES = ("keras", "tensorflow")


@dataclass(frozen=True, eq=False)
class _Proved:
    """The content of a set of files, proved, and how it was made."""

    contents: dict[Path, bytes]
    answers: Answers
    parity: Parity
    proof_from: str
    softmax: str


def export_format(
    model: keras.Model,
    path: Path,
    name: str,
    scheme: str | Scheme = "float32",
    data: ImageData | None = None,
    *,
    softmax: str = "refuse",
    compress: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Artifact:
    """Writes a Keras model in another format than LiteRT, after the file was run beside the model.

    Keras' own exporter makes the file; where it needs another Keras backend than the present one, it runs in
    a process of its own. The batch stays open: the file takes any number of images at once.

    Args:
        model: a built image classifier.
        path: the file to write; its ending is that of the format.
        name: of the format: ``"onnx"``, ``"openvino"`` or ``"torch"``.
        scheme: these formats are written in ``"float32"`` only.
        data: its validation images prove the file; random images in 0..1 do without it.
        softmax: ``"strip"`` takes a softmax off the model's end; all else keeps it.
        compress: also write ``<path>.gz``.
        seed: of the choice of images.
        progress: where progress is shown.

    Raises:
        ConfigError: the scheme is not float32, or an argument makes no sense.
        MissingExtraError: a package that the format needs is not installed.
        ModelError: the model is no image classifier for this data, or carries ranges for int8.
        ConversionError: the exporter refused the model.
        ParityError: the file does not compute what the model computes. Nothing is written.
        OutputError: the files cannot be written.
    """
    exporter = EXPORTERS[name]
    _check(exporter, litert.scheme(scheme), compress)
    _check_plain(model, exporter)
    if data is not None:
        models.check_fits(model, data)
    shape = image_shape_of(model, data.image_shape if data is not None else None)
    source, ending = _with_softmax(model, softmax)
    images, proof_from = parity_images(data, shape, seed)
    _atomic.make_folder(path.parent)
    with (progress or Silent()).task(f"export {path.name}", total=2, unit="steps") as task:
        contents, answers = _made(plain_model(source), exporter, path, shape, images)
        parity = _parity(plain_model(source), answers, images, exporter, contents)
        _refuse_what_differs(parity, path, exporter, model)
        task.advance(1, "converted and proved")
        proved = _Proved(contents, answers, parity, proof_from, ending)
        artifact = _write(model, path, exporter, proved, data, compress)
        task.advance(1, "written")
    return artifact


def _check(exporter: Exporter, scheme: Scheme, compress: bool) -> None:
    """Checks the arguments that need no model, and that everything is installed.

    Raises:
        ConfigError: an argument makes no sense.
        MissingExtraError: a package is missing.
    """
    if scheme.name != "float32":
        raise ConfigError(
            f"{exporter.title} files are written in float32; quantized ones are LiteRT's (.tflite) or C's "
            f"(.c). Received: scheme={scheme.name!r}."
        )
    if compress and exporter.parts:
        raise ConfigError(
            f"compress writes one .gz of one file; {exporter.title} takes {1 + len(exporter.parts)}. Pack "
            "them yourself, or leave compress out."
        )
    exporter.check_installed()


def _check_plain(model: keras.Model, exporter: Exporter) -> None:
    """Refuses a model with fake-quantizers, whose ranges no other format is given.

    Raises:
        ModelError: it has some.
    """
    if litert.carries_ranges(model):
        raise ModelError(
            f"Model {model.name!r} carries ranges for int8, which {exporter.title} files cannot hold here. "
            "Export it to .tflite, or take trimtab.quantization.strip(model) first."
        )


def _with_softmax(model: keras.Model, softmax: str) -> tuple[keras.Model, str]:
    """Returns the model to write, and what became of its softmax."""
    if not models.has_softmax(model):
        return model, "none"
    return (models.without_softmax(model), "stripped") if softmax == "strip" else (model, "kept")


def _made(
    model: keras.Model, exporter: Exporter, path: Path, shape: tuple[int, int, int], images: np.ndarray
) -> tuple[dict[Path, bytes], Answers]:
    """Makes the files in a temporary folder and runs them; gives what will be at `path`."""
    work = make_and_run if keras.config.backend() == exporter.backend else make_and_run_elsewhere
    with temporary_folder() as folder:
        # A name of its own: that of `path` need not be one that every exporter takes.
        made = folder / f"model{exporter.ending}"
        answers = work(model, exporter, made, shape, images)
        places = zip(exporter.files(path), exporter.files(made), strict=True)
        return {place: content.read_bytes() for place, content in places}, answers


def _parity(
    model: keras.Model,
    answers: Answers,
    images: np.ndarray,
    exporter: Exporter,
    contents: dict[Path, bytes],
) -> Parity:
    """Compares what the file answered and holds with the model."""
    scheme = litert.scheme("float32")
    wanted, got = predict(model, images), answers.scores
    low, high = _expected_bytes(model)
    if wanted.shape != got.shape:
        reason: str | None = f"It gives scores of shape {got.shape}, the model {wanted.shape}."
        got = np.full_like(wanted, np.nan)
    else:
        reason = None
    outputs = compare_outputs(wanted, got, scheme)
    reason = reason or outputs_reason(wanted, got, outputs, scheme)
    if reason is None and not low <= answers.weight_bytes <= high:
        reason = (
            f"Its numbers take {answers.weight_bytes:,} bytes; the model's weights need {low:,} to {high:,}."
        )
    return Parity(
        passed=reason is None,
        scheme=scheme.name,
        images=len(images),
        max_error=outputs.max_error,
        mean_error=outputs.mean_error,
        spread=outputs.spread,
        error_limit=scheme.error_limit * outputs.spread,
        max_error_steps=None,
        top1_agreement=outputs.agreement,
        decided=outputs.decided,
        decided_agreement=outputs.decided_agreement,
        bytes=sum(map(len, contents.values())),
        weight_bytes=answers.weight_bytes,
        expected_weight_bytes=(low, high),
        reason=reason if reason is None else f"{exporter.title}: {reason}",
    )


def _expected_bytes(model: keras.Model) -> tuple[int, int]:
    """Returns the least and the most bytes that the stored numbers should take, in float32.

    Kernels must be there; batch norm may be folded into them or not.
    """
    sizes = [(int(np.prod(variable.shape)), len(variable.shape)) for variable in model.weights]
    kernels = 4 * sum(size for size, rank in sizes if rank >= 2)
    every = 4 * sum(size for size, _ in sizes)
    return int(_LEAST_SHARE * kernels), int(_MOST_SHARE * every) + _SLACK


def _refuse_what_differs(parity: Parity, path: Path, exporter: Exporter, model: keras.Model) -> None:
    """Raises `ParityError` where the check was not passed."""
    if not parity.passed:
        raise ParityError(
            f"{path.name} was refused, and not written: {parity.reason} (Compared with model {model.name!r} "
            f"on {parity.images} images. Another format than {exporter.title} may do.)"
        )


def _write(
    model: keras.Model,
    path: Path,
    exporter: Exporter,
    proved: _Proved,
    data: ImageData | None,
    compress: bool,
) -> Artifact:
    """Writes the files and their record, as a set."""
    contents = dict(proved.contents)
    zipped = {place: gzipped(content) for place, content in contents.items()}
    compressed = path.with_name(path.name + ".gz") if compress else None
    packages = (*_PACKAGES, *(name for name in exporter.packages if name not in _PACKAGES))
    artifact = Artifact(
        path=path,
        scheme=proved.parity.scheme,
        bytes=proved.parity.bytes,
        gzip_bytes=sum(map(len, zipped.values())),
        sha256=hashlib.sha256(contents[path]).hexdigest(),
        parameters=proved.answers.parameters,
        non_zeros=proved.answers.non_zeros,
        model_parameters=models.parameters(model),
        model_non_zeros=models.non_zeros(model),
        parity=proved.parity,
        parity_images=proved.proof_from,
        calibration=None,
        softmax=proved.softmax,
        versions={"trimtab": __version__, **{name: version_of(name) for name in packages}},
        model=model.name,
        model_digest=models.model_digest(model),
        data={"name": data.name, "digest": data.digest} if data is not None else None,
        compressed=compressed,
        notes=_notes(proved),
        file_format=exporter.name,
        parts={
            place.name: hashlib.sha256(content).hexdigest()
            for place, content in contents.items()
            if place != path
        },
    )
    stale = previous_compressed(path)
    if compressed is not None:
        contents[compressed] = zipped[path]
    write_set({**contents, record_path(path): artifact.record()})
    if stale is not None and stale != compressed:
        stale.unlink(missing_ok=True)  # it holds the file that was just replaced
    return artifact


def _notes(proved: _Proved) -> tuple[str, ...]:
    """Says what else there is to know."""
    notes = []
    if proved.softmax == "stripped":
        notes.append("The softmax was taken off: the file gives logits, whose largest is the same class.")
    if proved.proof_from == "random":
        notes.append("No data was given: the file was proved with random images in 0..1.")
    return tuple(notes)
