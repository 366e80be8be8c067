"""From a Keras model to a file on disk that was proved to compute the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np

from trimtab import _atomic, litert, models
from trimtab._choices import file_format
from trimtab._compression import gzipped
from trimtab._version import __version__
from trimtab._versions import version_of
from trimtab.errors import ConfigError, ConversionError, ModelError, ParityError, nearest
from trimtab.exporting._artifact import Artifact, previous_compressed, record_path
from trimtab.exporting._images import calibration_images, parity_images
from trimtab.exporting._notes import about_calibration, about_model, about_rounding
from trimtab.exporting._post_training import Converted, PostTraining, converted
from trimtab.exporting._writing import write_set
from trimtab.litert import Parity, Scheme
from trimtab.litert._signature import image_shape_of
from trimtab.models._scaling import check_scaling
from trimtab.progress import Progress, Silent

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["export"]

_SOFTMAX = ("refuse", "strip", "keep")
_PACKAGES = ("keras", "tensorflow", "ai-edge-litert")
_COMPARED = 16  # images that a file must answer alike before and after its diet


@dataclass(frozen=True)
class _Images:
    """The images that a file is made and proved with."""

    calibration: np.ndarray | None
    record: Mapping[str, Any] | None
    proof: np.ndarray
    proof_from: str


@dataclass(frozen=True, eq=False)
class _Proved:
    """A file's content, proved, and how it was made."""

    source: keras.Model
    content: bytes
    made: Converted
    format: str
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
    calibration_method: Literal["minmax", "percentile", "mse"] = "minmax",
    percentile: float = 99.99,
    keep_float: Sequence[str] = (),
    equalize: Literal[False, "auto"] = False,
    correct_bias: Literal[False, "auto"] | None = None,
    softmax: Literal["refuse", "strip", "keep"] = "refuse",
    compress: bool = False,
    format: str | None = None,  # noqa: A002 - what it is called everywhere
    seed: int = 0,
    progress: Progress | None = None,
) -> Artifact:
    """Converts a Keras model to a file for devices, proves it, and only then writes it.

    The file is run beside the model on validation images: outputs, predicted classes, and the size
    against the parameters must agree, or nothing is written. The model stays as it is. The record of
    all this is written beside the file, as ``<path>.json``.

    A model that carries its ranges (`trimtab.quantize_aware`) needs no calibration: its file computes with
    the integers that it was trained for.

    Args:
        model: a built image classifier.
        path: the file to write: `.tflite`, or the ending of another format.
        scheme: ``"float32"``, ``"float16"``, ``"dynamic-int8"`` (int8 kernels), ``"int8"`` (all integers,
            input and output too), ``"int4"`` or another of `trimtab.litert.SCHEMES`.
        data: calibrates static schemes with training images, and proves the file with validation images; the
            test images are not touched. Without it, the others are proved with random images in 0..1.
        calibration: training images to calibrate with, the same share of every class.
        calibration_method: how ranges are chosen: ``"minmax"``, ``"percentile"`` (the share `percentile` of
            the numbers lies inside) or ``"mse"`` (least rounding error).
        percentile: for that method, in per cent.
        keep_float: names of layers that stay float32, with ``*`` and ``?`` for parts of a name.
        equalize: ``"auto"``: try cross-layer equalisation, and take it where the file comes closer to the
            model on the validation images. For depthwise networks.
        correct_bias: ``"auto"``: the same with empirical bias correction. None: ``"auto"`` where weights
            become int4 without training, which shifts the channels most; else False.
        softmax: what is done where the model ends in softmax. An int8 softmax has fixed steps of 1/256,
            too coarse to rank or to measure a loss with; so ``"refuse"`` refuses it in static schemes.
            ``"strip"`` exports the logits (in any scheme). ``"keep"`` exports it as it is. Float files keep
            it unless stripped.
        compress: also write ``<path>.gz``, the same bytes each time.
        format: ``"litert"``, ``"onnx"``, ``"openvino"``, ``"torch"`` or ``"c"``; None goes by the path.
        seed: of the choice of images.
        progress: where progress is shown.

    Raises:
        ConfigError: an argument makes no sense, a static scheme has no data, or the images cannot calibrate
            (too few, of one class, scaled otherwise than in training).
        ModelError: the model is no image classifier for this data, is quantized already, or a static scheme
            meets a softmax.
        ConversionError: the converter refused the model.
        ParityError: the file does not compute what the model computes.
        MissingExtraError: an optional package is needed and not installed.
        OutputError: the file cannot be written.

    Example::

        artifact = trimtab.export(model, "digits.tflite", scheme="int8", data=data)
        print(artifact.bytes, artifact.parity.top1_agreement, *artifact.notes)
    """
    kind, path, target = litert.scheme(scheme), _checked(path, softmax, seed), file_format(path, format)
    how = PostTraining(calibration_method, percentile, keep_float, equalize, correct_bias)
    how.check(model, kind)
    if target == "c" and compress:
        raise ConfigError("compress packs a file for a download; a C array is compiled. Leave compress out.")
    if target not in ("litert", "c"):
        from trimtab.exporting._export_format import export_format

        return export_format(
            model, path, target, kind, data, softmax=softmax, compress=compress, seed=seed, progress=progress
        )
    if data is not None:
        models.check_fits(model, data)
    shape = image_shape_of(model, data.image_shape if data is not None else None)
    source, ending = _without_refused_softmax(model, kind, softmax)
    images = _images(source, data, kind, calibration, shape, seed, how)
    _atomic.make_folder(path.parent)
    with (progress or Silent()).task(f"export {path.name}", total=3, unit="steps") as task:
        made = converted(source, kind, how, images=images.calibration, proof=images.proof, shape=shape)
        if ending == "none" and kind.static and litert.inspect(made.content).ends_in_softmax:
            ending = _hidden_softmax(model, softmax)
        task.advance(1, "converted")
        parity = _parity(made, images.proof, kind, path)
        content = _dieted(made.content, images.proof)
        parity = replace(parity, bytes=len(content))
        task.advance(1, "proved")
        proved = _Proved(source, content, made, target, kind, ending, parity, images)
        artifact = _write(model, path, proved, data, compress)
        task.advance(1, "written")
    return artifact


def _checked(path: str | os.PathLike[str], softmax: str, seed: int) -> Path:
    """Checks the arguments that need no model."""
    if softmax not in _SOFTMAX:
        raise ConfigError(
            f"softmax is one of {', '.join(_SOFTMAX)}. Received: {softmax!r}."
            f"{nearest(str(softmax), _SOFTMAX)}"
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed must be a whole number of 0 or more. Received: seed={seed!r}.")
    return Path(path)


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


def _hidden_softmax(model: keras.Model, softmax: str) -> str:
    """Returns what becomes of a softmax that stands before a quantizer, where the model does not show it.

    Raises:
        ModelError: it was not asked for.
    """
    if softmax == "keep":
        return "kept"
    raise ModelError(
        f"Model {model.name!r} ends in softmax, which int8 rounds to steps of 1/256, and has fake-quantizers "
        "behind it. Prepare trimtab.models.without_softmax(model) instead of the model, or export with "
        "softmax='keep' (--softmax keep) to have it all the same."
    )


def _images(
    model: keras.Model,
    data: ImageData | None,
    scheme: Scheme,
    calibration: int,
    shape: tuple[int, int, int],
    seed: int,
    how: PostTraining,
) -> _Images:
    """Picks the images."""
    chosen, record, used = None, None, None
    if scheme.static and not litert.carries_ranges(model):
        chosen, record, used = calibration_images(data, calibration, seed)
        check_scaling(model, chosen)
        record = {**record, "method": how.method}
        if how.method == "percentile":
            record["percentile"] = how.percentile
        if how.keep_float:
            record["keep_float"] = list(how.keep_float)
    proof, proof_from = parity_images(data, shape, seed, used)
    return _Images(chosen, record, proof, proof_from)


def _parity(made: Converted, images: np.ndarray, scheme: Scheme, path: Path) -> Parity:
    """Returns the passed parity check.

    Raises:
        ParityError: it did not pass.
    """
    parity = litert.check_parity(made.reference, made.content, images, scheme, kept_float=made.kept_float)
    if not parity.passed:
        raise ParityError(
            f"{path.name} ({scheme.name}) was refused, and not written: {parity.reason} (Compared with model "
            f"{made.reference.name!r} on {parity.images} images.)"
        )
    return parity


def _dieted(content: bytes, proof: np.ndarray) -> bytes:
    """Returns the file without what no runtime reads, after both gave the same answers.

    The parity check comes first: it names layers, and names are a part of what is left out.
    """
    smaller = litert.diet(content)
    before, after = (litert.LiteRTModel(one)(proof[:_COMPARED]) for one in (content, smaller))
    if not np.array_equal(before, after):
        raise ConversionError(
            "The file gives other scores without its names and padding, which must not be; nothing was "
            "written. Please report it with the model."
        )
    return smaller


def _write(
    model: keras.Model, path: Path, proved: _Proved, data: ImageData | None, compress: bool
) -> Artifact:
    """Writes file, compressed file and record, and returns the record."""
    content, made, summary = proved.content, proved.made, litert.inspect(proved.content)
    files = _files(path, proved, model.name)
    compressed = path.with_name(path.name + ".gz") if compress else None
    packages = (*_PACKAGES, *(("ai-edge-quantizer",) if made.route == "edge-quantizer" else ()))
    record = proved.images.record
    artifact = Artifact(
        path=path,
        scheme=proved.scheme.name,
        bytes=len(content),
        gzip_bytes=len(gzipped(content)),
        sha256=hashlib.sha256(files[path]).hexdigest(),
        parameters=summary.parameters,
        non_zeros=summary.non_zeros,
        model_parameters=models.parameters(model),
        model_non_zeros=models.non_zeros(model),
        parity=proved.parity,
        parity_images=proved.images.proof_from,
        calibration={**record, "repairs": dict(made.repairs)} if record and made.repairs else record,
        softmax=proved.softmax,
        versions={"trimtab": __version__, **{name: version_of(name) for name in packages}},
        model=model.name,
        model_digest=models.model_digest(model),
        data={"name": data.name, "digest": data.digest} if data is not None else None,
        compressed=compressed,
        notes=_notes(model, proved),
        file_format=proved.format,
        parts={
            place.name: hashlib.sha256(part).hexdigest() for place, part in files.items() if place != path
        },
        route=made.route,
        undieted_bytes=len(made.content),
    )
    stale = previous_compressed(path)
    if compressed is not None:
        files[compressed] = gzipped(files[path])
    write_set({**files, record_path(path): artifact.record()})
    if stale is not None and stale != compressed:
        stale.unlink(missing_ok=True)  # it holds the file that was just replaced
    return artifact


def _notes(model: keras.Model, proved: _Proved) -> tuple[str, ...]:
    """Says what else there is to know."""
    images = proved.images
    return (
        *about_model(model, proved.softmax, images.proof_from),
        *about_calibration(images.record),
        *about_rounding(proved.source, proved.made, proved.scheme, proved.parity, images.proof),
    )


def _files(path: Path, proved: _Proved, model: str) -> dict[Path, bytes]:
    """Returns what is written: the file, or the file as C."""
    if proved.format != "c":
        return {path: proved.content}
    from trimtab.exporting._formats import array_files

    return array_files(path, proved.content, f"model {model!r}, scheme {proved.scheme.name}")
