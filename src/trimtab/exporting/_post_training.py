"""From a trained model to the content of a file: the ways of quantizing it without training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np

from trimtab import litert
from trimtab.errors import ConfigError, nearest
from trimtab.litert import Scheme
from trimtab.litert._fake_quantized import kept_float
from trimtab.litert._plain import plain_model
from trimtab.litert._signature import predict

__all__ = ["CALIBRATION_METHODS", "Converted", "PostTraining", "converted"]

CALIBRATION_METHODS = ("minmax", "percentile", "mse")
_SWITCH = (False, "auto")
_UNSAID = ("correct_bias", None)
_WORTH = 0.95  # share of the error that must be left at most, for a repair to be taken


@dataclass(frozen=True)
class PostTraining:
    """How ranges are chosen and what is repaired before a model is quantized without training.

    Args:
        method: ``"minmax"``: the smallest and the largest number seen. ``"percentile"``: but for the share
            that lies outside. ``"mse"``: the range that rounds with the least mean squared error.
        percentile: of the numbers that a range holds, for that method.
        keep_float: names of layers that stay float32, with ``*`` and ``?`` for parts of a name.
        equalize: ``"auto"``: cross-layer equalisation (Nagel et al. 2019), taken where it helps.
        correct_bias: ``"auto"``: empirical bias correction, taken where it helps. None: for int4 weights.

    Raises:
        ConfigError: a value makes no sense.
    """

    method: Literal["minmax", "percentile", "mse"] = "minmax"
    percentile: float = 99.99
    keep_float: Sequence[str] = ()
    equalize: Literal[False, "auto"] = False
    correct_bias: Literal[False, "auto"] | None = None

    def __post_init__(self) -> None:
        if self.method not in CALIBRATION_METHODS:
            raise ConfigError(
                f"calibration_method is one of {', '.join(CALIBRATION_METHODS)}. Received: {self.method!r}."
                f"{nearest(str(self.method), CALIBRATION_METHODS)}"
            )
        if not 50 < self.percentile <= 100:
            raise ConfigError(
                "percentile is above 50 and at most 100; 99.9 to 99.999 are usual. Received: "
                f"{self.percentile!r}"
            )
        if isinstance(self.keep_float, str):
            raise ConfigError(
                f"keep_float is a list of layer names. Received: {self.keep_float!r}. Write "
                f"[{self.keep_float!r}]."
            )
        object.__setattr__(self, "keep_float", tuple(self.keep_float))
        for name in ("equalize", "correct_bias"):
            if getattr(self, name) not in _SWITCH and (name, getattr(self, name)) != _UNSAID:
                raise ConfigError(
                    f"{name} is False, or 'auto' to take it where it helps. Received: {getattr(self, name)!r}"
                )

    @property
    def asked(self) -> tuple[str, ...]:
        """Names what is asked for beyond the plain converter."""
        unusual = {
            "calibration_method": self.method != "minmax",
            "keep_float": bool(self.keep_float),
            "equalize": bool(self.equalize),
            "correct_bias": bool(self.correct_bias),
        }
        return tuple(name for name, given in unusual.items() if given)

    def settled(self, scheme: Scheme) -> PostTraining:
        """Returns the same with what is usual for a scheme where nothing was said."""
        if self.correct_bias is not None:
            return self
        usual: Literal[False, "auto"] = "auto" if scheme.weights == "int4" else False
        return dataclasses.replace(self, correct_bias=usual)

    def check(self, model: keras.Model, scheme: Scheme) -> None:
        """Refuses what a model or scheme cannot have.

        Raises:
            ConfigError: there is nothing to calibrate, or the model carries its ranges.
        """
        if not self.asked:
            return
        if litert.carries_ranges(model):
            raise ConfigError(
                f"Model {model.name!r} carries its ranges, so nothing is calibrated: leave out "
                f"{', '.join(self.asked)}, or export the model as it was before."
            )
        if scheme.activations != "int8":
            raise ConfigError(
                f"{', '.join(self.asked)}: for the schemes of int8 activations ('int8', 'int4'). Received: "
                f"scheme={scheme.name!r}."
            )


@dataclass(frozen=True, eq=False)
class Converted:
    """A file's content and how it came about.

    Args:
        content: the file.
        reference: the model that the file must agree with.
        route: what made it: ``"converter"``, ``"fake-quantized"`` or ``"edge-quantizer"``.
        kept_float: names of its tensors that are float on purpose.
        repairs: what was tried, by name: whether it was taken, and the file's error before and after.
        notes: what there is to say.
    """

    content: bytes
    reference: keras.Model
    route: str
    kept_float: frozenset[str] = frozenset()
    repairs: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def converted(
    model: keras.Model,
    scheme: Scheme,
    how: PostTraining,
    *,
    images: np.ndarray | None,
    proof: np.ndarray,
    shape: tuple[int, int, int],
) -> Converted:
    """Converts a model by the route of its scheme, with the repairs that help.

    Args:
        model: the model, its softmax settled.
        scheme: what to make.
        how: how ranges are chosen.
        images: to calibrate with; None where nothing is calibrated.
        proof: images to judge repairs by: of the validation part.
        shape: of an image.

    Raises:
        ConfigError, ModelError, ConversionError, MissingExtraError: as `trimtab.litert.convert`.
    """
    if images is None:
        route = "fake-quantized" if litert.carries_ranges(model) else scheme.route
        content = litert.convert(model, scheme, image_shape=shape)
        return Converted(content, model, route)
    how = how.settled(scheme)
    best = _made(model, model, scheme, how, images, shape)
    if how.equalize or how.correct_bias:
        return _repaired(model, best, scheme, how, images, proof, shape)
    return best


def _repaired(
    model: keras.Model,
    best: Converted,
    scheme: Scheme,
    how: PostTraining,
    images: np.ndarray,
    proof: np.ndarray,
    shape: tuple[int, int, int],
) -> Converted:
    """Tries the repairs that were asked for, one upon the other, and keeps those that help."""
    from trimtab import quantization
    from trimtab.quantization._prepared import named_in

    wanted = predict(model, proof)
    error = _error(wanted, best.content, proof)
    start, repairs = model, {}

    def tried(name: str, candidate: Converted) -> bool:
        nonlocal best, error
        after = _error(wanted, candidate.content, proof)
        taken = after < _WORTH * error
        repairs[name] = {"taken": taken, "error_before": error, "error_after": after}
        if taken:
            best, error = candidate, after
        return taken

    if how.equalize:
        equalized = quantization.equalize(model, images)
        # It is flat, and its layers have other names than those that were asked for.
        kept = named_in(equalized.model, equalized.origin, how.keep_float)
        how_flat = dataclasses.replace(how, keep_float=kept)
        if tried("equalize", _made(equalized.model, model, scheme, how_flat, images, shape)):
            start, how = equalized.model, how_flat
    if how.correct_bias:
        aware = quantization.correct_bias(_aware(start, scheme, how, images), images).model
        tried("correct_bias", _from_aware(aware, model, scheme, shape))
    return dataclasses.replace(
        best, repairs=repairs, notes=tuple(_told(name, entry) for name, entry in repairs.items())
    )


def _told(name: str, entry: Mapping[str, Any]) -> str:
    """Says what came of a repair."""
    change = f"mean error on the validation images {entry['error_before']:.3g} to {entry['error_after']:.3g}"
    return f"{name}: {'taken' if entry['taken'] else 'not taken, since it does not help'} ({change})."


def _made(
    source: keras.Model,
    original: keras.Model,
    scheme: Scheme,
    how: PostTraining,
    images: np.ndarray,
    shape: tuple[int, int, int],
) -> Converted:
    """Converts one model, by a model that carries ranges where the converter cannot be told."""
    if scheme.route != "fake-quantized" and how.method == "minmax" and not how.keep_float:
        content = litert.convert(source, scheme, images, image_shape=shape)
        return Converted(content, original, scheme.route)
    return _from_aware(_aware(source, scheme, how, images), original, scheme, shape)


def _aware(source: keras.Model, scheme: Scheme, how: PostTraining, images: np.ndarray) -> keras.Model:
    """Returns the model with calibrated fake-quantizers in it."""
    from trimtab import quantization

    return quantization.calibrated(
        plain_model(source),
        images,
        weights_bits=4 if scheme.weights == "int4" else 8,
        method=how.method,
        percentile=how.percentile,
        keep_float=how.keep_float,
    )


def _from_aware(
    aware: keras.Model, original: keras.Model, scheme: Scheme, shape: tuple[int, int, int]
) -> Converted:
    """Converts a model that carries ranges.

    Rounding to 4 bits changes what a network computes by far more than any limit: whether the file computes
    what the rounded model does is then what can be proved, and how often the two agree is told.
    """
    content = litert.convert(aware, scheme, image_shape=shape)
    reference = aware if scheme.weights == "int4" else original
    return Converted(content, reference, "fake-quantized", kept_float(plain_model(aware), content))


def _error(wanted: np.ndarray, content: bytes, proof: np.ndarray) -> float:
    """Returns the mean error of a file's scores."""
    return float(np.mean(np.abs(wanted.astype(np.float64) - litert.LiteRTModel(content)(proof))))
