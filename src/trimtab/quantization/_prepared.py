"""`calibrated`: a model with fake-quantizers and their ranges, to convert as it is or to train."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

import trimtab.quantization._rules  # noqa: F401 - Keras' own layers are known from here on
from trimtab import _keras_internals
from trimtab.data._variety import FEWEST_IMAGES
from trimtab.errors import ConfigError, ModelError, nearest
from trimtab.litert._convert import refuse_quantized
from trimtab.litert._plain import in_float32
from trimtab.quantization._assembly import Settings, assembled
from trimtab.quantization._calibration import Calibration, Floats, calibrate
from trimtab.quantization._fake_quantizer import RANGES
from trimtab.quantization._placement import place
from trimtab.quantization._steps import steps_of
from trimtab.quantization._weight_ranges import clip_weights
from trimtab.quantization.folding import Folded, fold

__all__ = ["Prepared", "calibrated", "check_images", "named_in", "prepared", "uncalibrated"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model with quantizers.

    Args:
        model: the aware model, calibrated.
        folded: the flat model that it was made of.
        kept_float: layers of the original model that compute in float, each with the reason.
        notes: what was done before folding, in plain sentences.
    """

    model: Any = field(repr=False)
    folded: Folded
    kept_float: Mapping[str, str]
    notes: tuple[str, ...] = ()


def calibrated(
    model: keras.Model,
    images: Floats,
    *,
    weights_bits: int = 8,
    method: str = "minmax",
    percentile: float = 99.99,
    keep_float: Sequence[str] = (),
) -> keras.Model:
    """Returns a copy of a model with fake-quantizers in it, whose ranges fit some images; nothing is trained.

    The copy is flat, its batch normalisation is folded, and it computes as its int8 file will. It is exported
    without calibration images, and may be trained with plain `fit`; the given model is untouched.

    Args:
        model: a built Functional or Sequential model.
        images: float32 (n, height, width, channels), scaled as the model takes them; 50 to 500 do.
        weights_bits: 8, or 4: kernels then have 15 values, and their ranges the least squared error.
        method: how ranges of activations are chosen: ``"minmax"``, ``"percentile"`` or ``"mse"``.
        percentile: for that method, in percent.
        keep_float: layers that stay float: names, or patterns such as ``"block_1*"``; ``"outer/inner"`` for
            nested models.

    Raises:
        ConfigError: an argument makes no sense, or names no layer; or there are too few images.
        ModelError: the model has no graph, is quantized already, or gives numbers that are not finite.

    Example::

        aware = trimtab.quantization.calibrated(model, data.train.inputs(0, 200), method="percentile")
        trimtab.export(aware, "model.tflite", scheme="int8", data=data)
    """
    settings = Settings(_checked_bits(weights_bits))
    return prepared(model, images, settings, Calibration(method, percentile), keep_float).model


def prepared(
    model: keras.Model,
    images: Floats,
    settings: Settings,
    calibration: Calibration,
    keep_float: Sequence[str] = (),
) -> Prepared:
    """Folds a model, puts quantizers in, and calibrates them; see `calibrated`."""
    check_images(model, images)
    whole = uncalibrated(model, settings, keep_float)
    if settings.weights_bits < 8 or calibration.method == "mse":
        clip_weights(whole.model)
    calibrate(whole.model, np.ascontiguousarray(images, np.float32), calibration)
    return whole


def uncalibrated(model: keras.Model, settings: Settings, keep_float: Sequence[str] = ()) -> Prepared:
    """Folds a model and puts quantizers in, whose ranges are still to be calibrated; see `calibrated`."""
    _check(model, settings)
    model, notes = in_float32(model)
    folded = fold(model)
    steps = steps_of(folded.model)
    asked, check_used = _asked(folded, keep_float)
    placement = place(steps, asked)
    check_used()
    aware = assembled(folded.model, steps, placement, settings, folded.origin)
    kept: dict[str, str] = {}
    for name, why in placement.kept_float.items():
        for path in folded.origin.get(name, (name,)):
            kept[path] = folded.kept.get(path, why)
    return Prepared(aware, folded, kept, notes)


def _check(model: Any, settings: Settings) -> None:
    """Refuses what cannot be prepared."""
    if not isinstance(model, keras.Model):
        raise ModelError(f"A Keras model is quantized. Received: {type(model).__name__}.")
    if any(getattr(layer, "carries_ranges", False) for layer in _keras_internals.all_layers(model)):
        raise ModelError(
            f"Model {model.name!r} has fake-quantizers already. Train it on with model.fit or trimtab.train, "
            "or take them out first: trimtab.quantization.strip(model)."
        )
    refuse_quantized(model)
    _checked_bits(settings.weights_bits)
    if settings.ranges not in RANGES:
        raise ConfigError(
            f"ranges={settings.ranges!r} is not known; it must be one of {', '.join(RANGES)}."
            f"{nearest(str(settings.ranges), RANGES)}"
        )


def check_images(model: Any, images: Any) -> None:
    """Refuses images that cannot calibrate a model: other things, too few, of another shape, or not finite.

    Raises:
        ConfigError: as said.
    """
    if not isinstance(images, np.ndarray) or not len(images) or not np.issubdtype(images.dtype, np.floating):
        raise ConfigError(
            "Ranges are calibrated with float images (n, height, width, channels), scaled as the model takes "
            f"them. Received: {getattr(images, 'dtype', type(images).__name__)} "
            f"{getattr(images, 'shape', '')}."
        )
    if len(images) < FEWEST_IMAGES:
        raise ConfigError(
            f"{len(images)} image(s) cannot calibrate ranges; at least {FEWEST_IMAGES} are needed, 50 to 500 "
            "do."
        )
    inputs: list[Any] = getattr(model, "inputs", None) or []
    wanted = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else images.shape[1:]
    if len(wanted) != images.ndim - 1 or any(
        size not in (None, there) for size, there in zip(wanted, images.shape[1:], strict=True)
    ):
        raise ConfigError(
            f"The images to calibrate with have shape {images.shape[1:]}, and the model takes {wanted}."
        )
    if not np.isfinite(images).all():
        raise ConfigError("The calibration images hold NaN or infinite pixels. Clean the data first.")


def _checked_bits(bits: Any) -> int:
    """Returns the bits of weights, checked."""
    if isinstance(bits, bool) or bits not in (4, 8):
        raise ConfigError(f"weights_bits is 8 or 4. Received: weights_bits={bits!r}.")
    return int(bits)


def names_of(layer: Any, origin: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Returns the names by which a layer of a flat model is meant.

    Args:
        layer: of the flat model.
        origin: the paths of the original layers, by the name of a flat one.
    """
    paths = origin.get(layer.name, ())
    return {layer.name, *paths, *(path.rsplit("/", 1)[-1] for path in paths)}


def named_in(
    model: keras.Model, origin: Mapping[str, tuple[str, ...]], patterns: Sequence[str]
) -> tuple[str, ...]:
    """Returns the names, in a flat model, of the layers with weights that some patterns mean.

    Args:
        model: the flat model.
        origin: the paths of the original layers, by the name of a flat one.
        patterns: as for ``keep_float``.
    """
    return tuple(
        layer.name
        for layer in model.layers
        if layer.weights
        and any(fnmatch.fnmatchcase(name, one) for name in names_of(layer, origin) for one in patterns)
    )


def _asked(folded: Folded, patterns: Sequence[str]) -> tuple[Callable[[Any], str | None], Callable[[], None]]:
    """Returns what says why a layer shall be float, and a check that each pattern named one."""
    if isinstance(patterns, str):
        patterns = (patterns,)
    left = dict.fromkeys(patterns)

    def why(layer: Any) -> str | None:
        if not getattr(layer, "weights", ()):
            return None  # it follows its neighbours
        names = names_of(layer, folded.origin)
        for pattern in patterns:
            if any(fnmatch.fnmatchcase(name, pattern) for name in names):
                left.pop(pattern, None)
                return "kept float as asked"
        return None

    def check() -> None:
        known = sorted({path for paths in folded.origin.values() for path in paths})
        for pattern in left:
            raise ConfigError(
                f"keep_float={pattern!r} names no layer with weights.{nearest(str(pattern), known)}"
            )

    return why, check
