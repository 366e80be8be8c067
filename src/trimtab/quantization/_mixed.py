"""The fewest layers kept float that bring the accuracy of a quantized model back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras

from trimtab.errors import ConfigError, ModelError
from trimtab.litert import Scheme
from trimtab.progress import Progress, Silent
from trimtab.quantization._fewest import fewest
from trimtab.quantization._judged_model import Judging, judged_model
from trimtab.quantization._scan import Scan
from trimtab.quantization._sensitivity import sensitivity as scan_layers
from trimtab.quantization._sensitivity_result import QuantizationSensitivity
from trimtab.quantization._switches import quantizers

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["Mixed", "Tried", "check_plain", "mixed"]


@dataclass(frozen=True)
class Tried:
    """Some layers that were kept float, and what it gave.

    Args:
        keep_float: the layers.
        accuracy: on the validation images, in [0, 1].
        drop: the float model's accuracy less this one.
    """

    keep_float: tuple[str, ...]
    accuracy: float
    drop: float


@dataclass(frozen=True)
class Mixed:
    """What `mixed` found.

    Args:
        keep_float: the layers to keep float, in the order of the model: for ``trimtab.export(keep_float=)``.
        accuracy: with them, on the validation images, in [0, 1].
        drop: the float model's accuracy less that.
        drop_low: lower end of the drop's 95 % interval (Tango, for two answers to the same images).
        drop_high: upper end of it.
        float_accuracy: of the float model, on the same images.
        parameters: how many numbers stay float in these layers.
        total_parameters: how many there are in all layers that can be quantized.
        max_drop: the drop that was allowed.
        met: whether it was met; where not even all layers kept float do, all are listed.
        scheme: the scheme of all other layers.
        images: how many validation images judged.
        tried: every choice that was measured, in that order.
    """

    keep_float: tuple[str, ...]
    accuracy: float
    drop: float
    drop_low: float
    drop_high: float
    float_accuracy: float
    parameters: int
    total_parameters: int
    max_drop: float
    met: bool
    scheme: str
    images: int
    tried: tuple[Tried, ...]


def mixed(
    model: keras.Model,
    data: ImageData,
    scheme: str | Scheme = "int8",
    *,
    max_drop: float = 0.005,
    sensitivity: QuantizationSensitivity | None = None,
    images: int = 2000,
    calibration: int = 200,
    calibration_method: str = "minmax",
    percentile: float = 99.99,
    batch_size: int = 256,
    from_logits: bool | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    label: str = "mixed",
) -> Mixed:
    """Finds the fewest layers to keep float so that quantizing the others costs no more than stated.

    Layers are spared one after the other, the one whose sparing gains most first, until the accuracy on
    validation images is back within `max_drop` of the float model's; then each of them is quantized again
    that is not needed. A choice is judged as its file will compute: what a float layer gives is rounded
    where an integer layer reads it. The test images are never looked at.

    A float layer costs time, and four times the bytes, so look first whether better ranges
    (`calibration_method`) or training (`trimtab.quantize_aware`) do the same for nothing. The accuracy
    was met on the images it was chosen by; on others expect a little less.

    Args:
        model: a built classifier, trained already, without quantizers.
        data: its validation images judge, its training images calibrate.
        scheme: of all other layers: ``"int8"`` or ``"int4"``.
        max_drop: how much accuracy may be lost against the float model, as a share: 0.005 is half a point.
        sensitivity: a scan of this model in this scheme, where there is one; None: one is made.
        images: how many validation images, chosen by `seed`.
        calibration: how many training images.
        calibration_method: ``"minmax"``, ``"percentile"`` or ``"mse"``.
        percentile: for that method, in percent.
        batch_size: images in one step.
        from_logits: whether the model gives logits; None: look at its last layer.
        seed: chooses the images.
        progress: where progress is shown; None: nowhere.
        label: what progress calls it.

    Returns:
        The layers, the accuracy with them, and everything that was tried.

    Raises:
        ConfigError: a value makes no sense, or the scan is of other layers or another scheme.
        DataError: there are no validation or training images.
        ModelError: the model does not fit the data, has no graph, or has quantizers already.

    Example:
        >>> found = trimtab.quantization.mixed(model, data, "int4", max_drop=0.01)
        >>> trimtab.export(model, "m.tflite", scheme="int4", data=data, keep_float=found.keep_float)
    """
    how = Judging(scheme, images, calibration, calibration_method, percentile, batch_size, from_logits, seed)
    if isinstance(max_drop, bool) or not isinstance(max_drop, int | float) or not 0 <= max_drop < 1:
        raise ConfigError(f"max_drop is a share of accuracy, such as 0.005. Received: {max_drop!r}.")
    check_plain(model)
    ready = judged_model(model, data, how)
    weighty = {row.name: row for row in ready.rows.rows if row.parameters}
    if sensitivity is None:
        sensitivity = scan_layers(ready.aware, data, scheme, images=images, batch_size=batch_size,
            from_logits=ready.logits, seed=seed, progress=progress)  # fmt: skip
    _check_scan(sensitivity, how, list(weighty))
    judge = Scan(ready.aware, ready.split, batch_size, ready.logits)
    whole = float(judge.whole.right.mean())
    tried: list[Tried] = []
    gains = [layer for layer in sensitivity.layers if layer.name in weighty]
    gains.sort(key=lambda layer: -layer.without.sqnr_db)
    singles = [layer for layer in gains if layer.without.accuracy >= whole - max_drop]
    singles.sort(key=lambda layer: layer.parameters)
    with (progress or Silent()).task(label, unit="choices") as task:

        def enough(names: tuple[str, ...]) -> bool:
            accuracy = judge.point(ready.rows.on(names)).accuracy
            tried.append(Tried(names, accuracy, whole - accuracy))
            task.advance(1, f"{len(names)} float: {accuracy:.1%}")
            return whole - accuracy <= max_drop + 1e-12

        ranked = [layer.name for layer in gains]
        found = fewest(ranked, enough, [layer.name for layer in singles])
    chosen = tuple(name for name in weighty if name in (ranked if found is None else found))
    point = judge.point(ready.rows.on(chosen))
    return Mixed(
        keep_float=chosen,
        accuracy=point.accuracy,
        drop=-point.change,
        drop_low=-point.change_high,
        drop_high=-point.change_low,
        float_accuracy=whole,
        parameters=sum(weighty[name].parameters for name in chosen),
        total_parameters=sum(row.parameters for row in weighty.values()),
        max_drop=float(max_drop),
        met=found is not None,
        scheme=how.kind.name,
        images=len(ready.split),
        tried=tuple(tried),
    )


def check_plain(model: keras.Model) -> None:
    """Raises `ModelError` where a model has quantizers: of such a one no layer can be kept float any more."""
    if quantizers(model):
        raise ModelError(
            f"Model {model.name!r} has quantizers already, so no layer of its file can be kept float. Look "
            "at the model as it was before, and give what is found to trimtab.quantize_aware(keep_float=)."
        )


def _check_scan(scan: QuantizationSensitivity, how: Judging, names: list[str]) -> None:
    """Raises `ConfigError` where a scan is not one of this model and scheme."""
    there = {layer.name for layer in scan.layers}
    missing = [name for name in names if name not in there]
    if scan.scheme != how.kind.name or missing:
        what = f"of scheme {scan.scheme!r}" if scan.scheme != how.kind.name else f"without {missing[0]!r}"
        raise ConfigError(
            f"sensitivity= is a scan {what}, but this is {how.kind.name!r} of a model with that layer. Scan "
            "this model in this scheme, or leave it out."
        )
