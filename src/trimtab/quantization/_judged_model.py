"""A model made ready to be judged layer by layer: quantizers, their ranges, and the images that judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from trimtab import litert
from trimtab.data._variety import check_calibration_count
from trimtab.errors import ConfigError
from trimtab.litert import Scheme
from trimtab.models import check_fits, has_softmax, without_softmax
from trimtab.models._scaling import check_scaling
from trimtab.quantization._assembly import Settings
from trimtab.quantization._calibration import Calibration
from trimtab.quantization._prepared import prepared
from trimtab.quantization._quantize_aware import _images as calibration_images
from trimtab.quantization._rows import Rows
from trimtab.quantization._switches import bits_of_weights, quantizers
from trimtab.training._judging import check_arguments, logits_given, some_images

if TYPE_CHECKING:
    from trimtab.data import ImageData, Split

__all__ = ["JudgedModel", "Judging", "check_bits", "judged_model"]

_BITS = {"int8": 8, "int4": 4}


@dataclass(frozen=True)
class Judging:
    """How a model is quantized and judged; the arguments are those of `sensitivity`.

    Raises:
        ConfigError: a value makes no sense, or the scheme is one whose layers cannot be looked at.
    """

    scheme: str | Scheme = "int8"
    images: int = 2000
    calibration: int = 200
    calibration_method: str = "minmax"
    percentile: float = 99.99
    batch_size: int = 256
    from_logits: bool | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        kind = self.kind
        if kind.activations != "int8":
            raise ConfigError(
                f"Layers can be looked at one by one in schemes of int8 activations: 'int8' or 'int4'. "
                f"Received: scheme={kind.name!r}."
            )
        check_calibration_count(self.calibration)
        Calibration(self.calibration_method, self.percentile)

    @property
    def kind(self) -> Scheme:
        """The scheme."""
        return litert.scheme(self.scheme)

    @property
    def bits(self) -> int:
        """Bits of the weights."""
        return _BITS[self.kind.weights]


@dataclass(frozen=True, eq=False)
class JudgedModel:
    """What is judged, and by what.

    Args:
        aware: the model with quantizers.
        rows: its layers, by their original names.
        split: the validation images that judge.
        logits: whether it gives logits.
        calibration: number of images that the ranges are from; 0: the model had them already.
        kept_float: layers that cannot be quantized, each with the reason.
        notes: plain sentences about what was done.
    """

    aware: Any
    rows: Rows
    split: Split
    logits: bool
    calibration: int
    kept_float: Mapping[str, str]
    notes: tuple[str, ...]


def judged_model(
    model: keras.Model, data: ImageData, how: Judging, keep_float: Sequence[str] = ()
) -> JudgedModel:
    """Puts quantizers into a model, unless it has them, and chooses the images that judge it.

    Raises:
        ConfigError: an argument makes no sense, or the model has quantizers of other bits.
        DataError: there are no validation images, or no training images.
        ModelError: the model cannot be quantized, or does not fit the data.
    """
    check_arguments(data, how.images, how.batch_size, how.from_logits, how.seed)
    check_fits(model, data)
    split = some_images(data.validation, how.images, how.seed, f"{data.name} has no validation images")
    if quantizers(model):
        check_bits(model, how)
        logits = logits_given(model, how.from_logits, split)
        return JudgedModel(model, Rows(model), split, logits, 0, {}, ("the model had its ranges already",))
    notes: list[str] = []
    from_logits = how.from_logits
    if has_softmax(model):
        model, from_logits = without_softmax(model), None
        notes.append("the softmax at the end was taken off: its int8 steps are too coarse to judge by")
    logits = logits_given(model, from_logits, split)
    images = calibration_images(data, None, how.calibration, how.seed)
    check_scaling(model, images)
    method = Calibration(how.calibration_method, how.percentile)
    ready = prepared(model, images, Settings(how.bits), method, keep_float)
    rows = Rows(ready.model, ready.folded.origin)
    return JudgedModel(
        ready.model, rows, split, logits, len(images), ready.kept_float, (*notes, *ready.notes)
    )


def check_bits(model: keras.Model, how: Judging) -> None:
    """Raises `ConfigError` where a model's quantizers are of another scheme."""
    bits = bits_of_weights(model)
    if bits - {how.bits}:
        raise ConfigError(
            f"Model {model.name!r} has quantizers for weights of {min(bits)} bits. Received: "
            f"scheme={how.kind.name!r}. Choose the scheme of its bits."
        )
