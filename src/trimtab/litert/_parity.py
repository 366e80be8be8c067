"""Parity: the proof that a file computes what the model computes.

The same images go through the Keras model and through the file, and three things are looked at.

*Outputs.* Errors are taken as a share of the spread (standard deviation) of the model's outputs, so that
one limit serves every model. A float file is judged by its largest error, a quantized one by its mean
error, since one clipped logit does no harm. The limits of `SCHEMES` come from measurements on Fashion-MNIST:
CNNs with and without batch norm, pruned, depthwise, and ResNets of 8 and 20 layers, trained and untrained.
Worst sound conversion: 2.3e-6 (float32), 5.0e-3 (float16), 0.013 (dynamic-int8), 0.028 (int8). Damaged files
(one layer negated, zeroed, shuffled, or given half its deviation as noise): 0.4 and more in float, 0.13 and
more in int8; one single zeroed channel of 16 or 32: 0.4 in float, 0.08 to 0.13 in int8.

*Weights, where a quantized file's error is beyond its limit.* In a deep network rounding alone may reach as
far: MobileNetV2 and EfficientNet after very short training have errors of 0.16 and 0.28, the same accuracy,
and files without a fault. No limit on outputs tells those from a damaged shallow one. The weights do: each
must be the float file's, rounded (`first_weight_that_differs`), and no damage above passes that, not even
one zeroed channel. A file whose weights are proved so is judged by `DEEP_LIMIT`; beyond it, the ranges of
the activations are wrong, or the network does not bear the scheme.

*Top-1 agreement.* An image counts as decided where the model's two best scores lie further apart than
twice the error limit: rounding may not turn it. Nearly all decided images must get the same class.

*Size and types.* The kernels need so many bytes: a file with much less has lost weights, one with much more
holds them unquantized. A static file must not compute in float anywhere, but in layers kept float on purpose.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import keras
import numpy as np

from trimtab.errors import ConversionError, TrimtabError
from trimtab.litert._convert import convert
from trimtab.litert._divergence import first_diverging_layer
from trimtab.litert._fake_quantized import carries_ranges
from trimtab.litert._fake_quantized import kept_float as kept_float_of
from trimtab.litert._inspect import FileSummary, inspect
from trimtab.litert._model import LiteRTModel
from trimtab.litert._operators import float_operators
from trimtab.litert._plain import plain_model
from trimtab.litert._rounding import first_weight_that_differs
from trimtab.litert._scheme import Scheme
from trimtab.litert._scheme import scheme as find_scheme
from trimtab.litert._signature import predict

__all__ = ["Outputs", "Parity", "check_parity", "compare_outputs", "outputs_reason"]

# Mean error, as a share of the spread, that a quantized file may have whose weights were proved one by one.
DEEP_LIMIT = 0.5
# Share of decided images that must get the same class.
DECIDED_AGREEMENT = 0.98
# Bytes of constants, against the bytes that the kernels need. Below: the converter may share equal constants
# and drops nothing else. Above: a kernel stays float32 below 1,024 numbers, each tensor has a bias.
LEAST_SHARE, MOST_SHARE, SLACK_PER_TENSOR = 0.5, 1.5, 1024


@dataclass(frozen=True)
class Parity:
    """What the parity check of one file found.

    Args:
        passed: True where the file may be shipped.
        scheme: the scheme's name.
        images: images compared.
        max_error: largest absolute difference of an output, in the model's own units.
        mean_error: mean absolute difference of the outputs.
        spread: standard deviation of the Keras model's outputs, all classes and images together.
        error_limit: what was allowed, in the same units: of `max_error` for float schemes, of `mean_error`
            for quantized ones. That of the scheme, or more where `weights_proved`.
        max_error_steps: `max_error` in steps of the file's integer output; None for float output.
        top1_agreement: share of the images that get the same class.
        decided: images whose class rounding may not turn.
        decided_agreement: share of those that get the same class; 1 where there are none.
        bytes: length of the file.
        weight_bytes: bytes of the constants in it.
        expected_weight_bytes: least and most that the model's weights should take.
        float_tensors: what a static file computes in float32, and must not; layers that the model keeps
            float on purpose do not count.
        first_diverging_layer: name of the first layer whose output differs, where that can be told; layers
            that the converter fused into one operator are joined by " + ".
        reason: why the file is refused, in one line; None where it passed.
        weights_proved: True where the outputs' error is beyond the scheme's limit, and each weight was
            found to be the model's, rounded: so that the error is that of rounding in a deep network.
    """

    passed: bool
    scheme: str
    images: int
    max_error: float
    mean_error: float
    spread: float
    error_limit: float
    max_error_steps: float | None
    top1_agreement: float
    decided: int
    decided_agreement: float
    bytes: int
    weight_bytes: int
    expected_weight_bytes: tuple[int, int]
    float_tensors: tuple[str, ...] = ()
    first_diverging_layer: str | None = None
    reason: str | None = None
    weights_proved: bool = False


@dataclass(frozen=True)
class Outputs:
    """The comparison of outputs: as in `Parity`; `error_limit` is a share of the spread."""

    max_error: float
    mean_error: float
    spread: float
    agreement: float
    decided: int
    decided_agreement: float
    error_limit: float


def check_parity(
    model: keras.Model,
    content: bytes,
    images: np.ndarray,
    scheme: str | Scheme = "float32",
    *,
    kept_float: Collection[str] = (),
) -> Parity:
    """Compares a converted file with the Keras model it came from.

    Args:
        model: the Keras model. One that computes in 16 bits is compared as it is converted: in float32.
        content: the file's bytes.
        images: float32 (n, height, width, channels), scaled as the model takes them; images that were
            not used for calibration, a few hundred.
        scheme: the scheme the file was made with.
        kept_float: names of tensors that a static file gives in float on purpose. What a model that
            carries its ranges keeps float is known.

    Returns:
        What was found. It never raises for a file that differs: look at `passed` and `reason`.

    Raises:
        ConversionError: the file cannot be read or run, or there are no images.
    """
    if len(images) == 0:
        raise ConversionError("The parity check needs at least one image. Received: 0")
    kind, model = find_scheme(scheme), plain_model(model)
    kept = {*kept_float, *(kept_float_of(model, content) if carries_ranges(model) else ())}
    summary = inspect(content)
    runner = LiteRTModel(content)
    wanted, got = predict(model, images), runner(images)
    if wanted.shape != got.shape:
        raise ConversionError(
            f"The file gives {got.shape[1]} scores an image and the model {wanted.shape[1]}: it was made "
            "from another model."
        )
    outputs = compare_outputs(wanted, got, kind)
    low, high = _expected_bytes(model, summary, kind, bool(kept))
    islands = _islands(content, kept) if kind.static else ()
    reason = outputs_reason(wanted, got, outputs, kind)
    size = _size_reason(summary, low, high, kind)
    proved = False
    if reason and not size and kind.quantized and outputs.mean_error <= DEEP_LIMIT * outputs.spread:
        difference = _weight_difference(model, content, runner)
        proved = difference is None
        if proved:
            outputs = compare_outputs(wanted, got, kind, DEEP_LIMIT)
            reason = outputs_reason(wanted, got, outputs, kind)
        else:
            reason = f"{reason} {difference}"
    layer = first_diverging_layer(model, content, images, kind.error_limit) if reason else None
    if reason and layer:
        reason = f"{reason} The first layer that differs is {layer}."
    reason = size or _island_reason(islands) or reason
    step = runner.output_quantization[0]
    return Parity(
        passed=reason is None,
        scheme=kind.name,
        images=len(images),
        max_error=outputs.max_error,
        mean_error=outputs.mean_error,
        spread=outputs.spread,
        error_limit=outputs.error_limit * outputs.spread,
        max_error_steps=outputs.max_error / step if step else None,
        top1_agreement=outputs.agreement,
        decided=outputs.decided,
        decided_agreement=outputs.decided_agreement,
        bytes=len(content),
        weight_bytes=summary.weight_bytes,
        expected_weight_bytes=(low, high),
        float_tensors=islands,
        first_diverging_layer=layer,
        reason=reason,
        weights_proved=proved,
    )


def _weight_difference(model: keras.Model, content: bytes, runner: LiteRTModel) -> str | None:
    """Says which weight is not the model's, rounded; None where all are."""
    if carries_ranges(model):
        return "Its model carries ranges, so its outputs must agree without more proof."
    try:
        return first_weight_that_differs(convert(model, "float32", image_shape=runner.input_shape), content)
    except TrimtabError as error:
        return f"Its weights could not be compared: {error}"


def _islands(content: bytes, kept: Collection[str]) -> tuple[str, ...]:
    """Names what a static file computes in float32, and should not."""
    found = (tensor.name for operator in float_operators(content) for tensor in operator.outputs)
    return tuple(dict.fromkeys(name for name in found if name not in kept))


def compare_outputs(
    wanted: np.ndarray, got: np.ndarray, scheme: Scheme, limit: float | None = None
) -> Outputs:
    """Compares the class scores of a file with those of its model.

    Args:
        wanted: of the model, (n, classes).
        got: of the file, likewise.
        scheme: of the file.
        limit: error that is allowed, as a share of the spread; None: that of the scheme.
    """
    limit = scheme.error_limit if limit is None else limit
    errors = np.abs(wanted.astype(np.float64) - got)
    spread = float(np.std(wanted)) or float(np.max(np.abs(wanted))) or 1.0
    same = wanted.argmax(-1) == got.argmax(-1)
    two_best = np.sort(wanted, axis=-1)[:, -2:]
    decided = two_best[:, -1] - two_best[:, 0] > 2 * limit * spread
    return Outputs(
        max_error=float(errors.max()),
        mean_error=float(errors.mean()),
        spread=spread,
        agreement=float(same.mean()),
        decided=int(decided.sum()),
        decided_agreement=float(same[decided].mean()) if decided.any() else 1.0,
        error_limit=limit,
    )


def outputs_reason(wanted: np.ndarray, got: np.ndarray, outputs: Outputs, scheme: Scheme) -> str | None:
    """Says why a file's scores do not do, or None; `outputs` is what `compare_outputs` made of them."""
    if not np.isfinite(wanted).all():
        return "The Keras model itself gives NaN or infinite outputs."
    if not np.isfinite(got).all():
        return "The file gives NaN or infinite outputs, the Keras model does not."
    kind, error = ("mean", outputs.mean_error) if scheme.quantized else ("largest", outputs.max_error)
    if error > outputs.error_limit * outputs.spread:
        return (
            f"The {kind} error of its outputs is {error:.3g}, {error / outputs.spread:.1%} of their spread; "
            f"{outputs.error_limit:.1%} is allowed."
        )
    if outputs.decided_agreement < DECIDED_AGREEMENT:
        return (
            f"It gives {outputs.decided_agreement:.1%} of {outputs.decided} clearly decided images the "
            f"model's class; {DECIDED_AGREEMENT:.0%} is needed."
        )
    return None


def _expected_bytes(model: keras.Model, summary: FileSummary, scheme: Scheme, mixed: bool) -> tuple[int, int]:
    """Returns the least and the most bytes that the constants should take.

    Kernels (two dimensions and more) must be there. Biases and what batch norm folds into may be, in four
    bytes each; quantization and shapes take some bytes a tensor. In a `mixed` file some are float.
    """
    sizes = [(int(np.prod(variable.shape)), len(variable.shape)) for variable in model.weights]
    kernels = sum(size for size, rank in sizes if rank >= 2)
    others = sum(size for size, rank in sizes if rank < 2)
    needed = kernels * scheme.bytes_per_weight
    small = sum(size * 4 for size, rank in sizes if rank >= 2 and size < 1024) if scheme.quantized else 0
    slack = SLACK_PER_TENSOR + 64 * len(summary.tensors)
    # int4 is for the kernels that LiteRT has it for; the others stay int8. Biases are int64 beside int16.
    most = kernels * (4.0 if mixed else max(scheme.bytes_per_weight, 1.0))
    others *= 8 if scheme.activations == "int16" else 4
    return int(LEAST_SHARE * needed), int(MOST_SHARE * most) + small + others + slack


def _size_reason(summary: FileSummary, low: int, high: int, scheme: Scheme) -> str | None:
    """Says why the size does not do, or None."""
    if summary.weight_bytes < low:
        return (
            f"Its constants take {summary.weight_bytes:,} bytes; the model's weights need at least {low:,} "
            f"in scheme {scheme.name!r}. Weights are missing."
        )
    if summary.weight_bytes > high:
        largest = max(summary.tensors, key=lambda tensor: tensor.bytes)
        return (
            f"Its constants take {summary.weight_bytes:,} bytes; at most {high:,} were expected in scheme "
            f"{scheme.name!r}. The largest is {largest.name!r}, {largest.dtype} {largest.shape}."
        )
    return None


def _island_reason(islands: tuple[str, ...]) -> str | None:
    """Says which tensors are float in an int8 file, or None."""
    if not islands:
        return None
    more = f" and {len(islands) - 3} more" if len(islands) > 3 else ""
    return (
        f"An integer file must not compute in float32, and {len(islands)} of its tensors do: "
        f"{', '.join(map(repr, islands[:3]))}{more}. Replace that layer by one with an int8 kernel, or "
        "choose the scheme 'dynamic-int8'."
    )
