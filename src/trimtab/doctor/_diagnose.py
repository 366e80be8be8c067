"""The verb of this room: a model looked at from all sides, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trimtab import litert
from trimtab.doctor._diagnosis import Diagnosis
from trimtab.doctor._examined import Examined
from trimtab.doctor._forecast import forecasts
from trimtab.doctor._outlook import outlooks
from trimtab.doctor._register import findings_of
from trimtab.errors import ConfigError
from trimtab.litert._signature import image_shape_of
from trimtab.models import check_fits, parameters
from trimtab.progress import Progress, Silent
from trimtab.pruning.where._prunable import check_model

if TYPE_CHECKING:
    import keras

    from trimtab.data import ImageData
    from trimtab.litert import Scheme

__all__ = ["diagnose"]

_USUAL = ("float32", "float16", "dynamic-int8", "int8")
_NOISE = (
    "The files hold the weights as they are; int8 ones have ranges of {images}, and no softmax. The accuracy "
    "that is left is what export and benchmark measure."
)
_TIMED = "Times are medians of one image on this machine, one thread, timed against each other."


def diagnose(
    model: keras.Model,
    *,
    scheme: str | Scheme | None = None,
    data: ImageData | None = None,
    latency: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> Diagnosis:
    """Says what a model will let be done to it, what not and why, and what its files weigh and take.

    Nothing is trained and nothing is written; the model stays as it is. It is looked at layer by layer,
    converted in each scheme with the weights it has (a fresh model does), and its files are timed.

    Args:
        model: a built classifier.
        scheme: None: the usual ones, ``"float32"``, ``"float16"``, ``"dynamic-int8"`` and ``"int8"``. The
            name of one: that beside float32. ``"all"``: all of `trimtab.litert.SCHEMES`, which takes a while.
        data: images that the model is for: they say its image size where it is open, calibrate, and show
            whether they are scaled as in training. Without them, noise.
        latency: whether to time the files.
        seed: of noise, of the choice of images and of the order of timing.
        progress: where progress is shown.

    Raises:
        ConfigError: there is no such scheme, or the seed is negative.
        ModelError: it is no Keras model, not built, no image classifier, or does not fit the data.

    Example:
        >>> diagnosis = trimtab.diagnose(model, scheme="int8")
        >>> print(diagnosis)
        >>> [finding.name for finding in diagnosis.findings if finding.severity == "problem"]
        []
    """
    schemes = _schemes(scheme)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed must be a whole number of 0 or more. Received: seed={seed!r}.")
    check_model(model)
    _check_classifier(model, data)
    shown = progress or Silent()
    examined = Examined(model, schemes, data, seed, shown)
    files = forecasts(examined, latency=latency, seed=seed, progress=shown)
    made = any(row.bytes is not None for row in files)
    images = "noise" if data is None else f"{data.name}"
    return Diagnosis(
        model=str(model.name),
        image_shape=examined.image_shape,
        parameters=parameters(model),
        macs=examined.macs,
        outlooks=outlooks(examined),
        forecasts=files,
        findings=findings_of(examined),
        notes=(*((_NOISE.format(images=images),) if made else ()), *((_TIMED,) if made and latency else ())),
    )


def _schemes(scheme: str | Scheme | None) -> tuple[Scheme, ...]:
    """Returns the schemes to look at; float32 comes first, to compare with."""
    if scheme is None:
        return tuple(litert.SCHEMES[name] for name in _USUAL)
    if scheme == "all":
        return tuple(litert.SCHEMES.values())
    chosen, plain = litert.scheme(scheme), litert.SCHEMES["float32"]
    return (plain,) if chosen.name == plain.name else (plain, chosen)


def _check_classifier(model: keras.Model, data: ImageData | None) -> None:
    """Refuses what is no image classifier; several inputs or outputs, or an open size, are findings.

    Raises:
        ModelError: it takes no images, or gives no scores.
    """
    if data is not None:
        check_fits(model, data)
        return
    inputs: Sequence[Any] = getattr(model, "inputs", None) or ()
    outputs: Sequence[Any] = getattr(model, "outputs", None) or ()
    if len(inputs) == 1 and len(outputs) == 1:
        taken = inputs[0].shape[1:]
        image_shape_of(model, tuple(1 if side is None else side for side in taken) if None in taken else None)
