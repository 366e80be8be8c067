"""Which layer hurts: each one quantized alone, and all but each one, without any training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

from trimtab._statistics import wilson_interval
from trimtab.litert import Scheme
from trimtab.progress import Progress, Silent
from trimtab.quantization._judged_model import JudgedModel, Judging, judged_model
from trimtab.quantization._scan import Scan
from trimtab.quantization._sensitivity_result import (
    LayerQuantization,
    QuantizationPoint,
    QuantizationSensitivity,
)

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["sensitivity"]


def sensitivity(
    model: keras.Model,
    data: ImageData,
    scheme: str | Scheme = "int8",
    *,
    images: int = 2000,
    calibration: int = 200,
    calibration_method: str = "minmax",
    percentile: float = 99.99,
    batch_size: int = 256,
    from_logits: bool | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    label: str = "sensitivity",
) -> QuantizationSensitivity:
    """Says how much each layer loses when it is quantized, and what would be gained by sparing it.

    The model gets fake-quantizers that compute as its file will, calibrated on training images; then each
    layer's are switched on alone, and all but each layer's, and the outputs are compared with those of the
    float model on validation images. The test images are never looked at, and the given model is untouched.
    Accuracy moves in steps of one image; the signal to noise ratio (SQNR) ranks layers that it cannot tell
    apart.

    A layer stands for its kernel, its bias, and what it gives, behind the activation that is computed with
    it; ``without`` spares just what would be float in a file that keeps the layer float (where an integer
    layer reads what it gives, that is still rounded). Names are those of the given model. The forward pass is
    compiled once for the whole scan, which takes two passes over the images a layer.

    Args:
        model: a built classifier, trained already; or one with quantizers, as `trimtab.quantize_aware` gives.
        data: its validation images judge, its training images calibrate.
        scheme: ``"int8"`` or ``"int4"`` (4-bit weights), or the same ``-float-io``.
        images: how many validation images, chosen by `seed`; all, where there are fewer.
        calibration: how many training images, the same share of every class.
        calibration_method: ``"minmax"``, ``"percentile"`` or ``"mse"``.
        percentile: for that method, in percent.
        batch_size: images in one step.
        from_logits: whether the model gives logits; None: look at its last layer.
        seed: chooses the images.
        progress: where progress is shown; None: nowhere.
        label: what progress calls the scan.

    Returns:
        A row for each layer, in the order of the model; ``print`` shows a table.

    Raises:
        ConfigError: a value makes no sense.
        DataError: there are no validation or training images.
        ModelError: the model does not fit the data, has no graph, or gives NaN.

    Example:
        >>> found = trimtab.quantization.sensitivity(model, data, "int4")
        >>> found.ranked[0].name   # the layer that hurts most
        'stem'
    """
    how = Judging(scheme, images, calibration, calibration_method, percentile, batch_size, from_logits, seed)
    ready = judged_model(model, data, how)
    with (progress or Silent()).task(label, 2 + 2 * len(ready.rows.rows), "measurements") as task:
        scan = Scan(ready.aware, ready.split, how.batch_size, ready.logits)
        task.advance(1, f"float {scan.whole.right.mean():.1%}")
        every = ready.rows.every
        quantized = scan.point(every)
        task.advance(1, f"{how.kind.name} {quantized.accuracy:.1%}")
        rows = []
        for row in ready.rows.rows:
            alone = scan.point(row.quantizers)
            task.advance(1, f"{row.name} alone: {alone.sqnr_db:.1f} dB, {alone.accuracy:.1%}")
            spared = {id(layer) for layer in row.quantizers}
            left = ready.rows.on({row.name}) if row.parameters else [q for q in every if id(q) not in spared]
            without = scan.point(left)
            task.advance(1, f"all but {row.name}: {without.sqnr_db:.1f} dB, {without.accuracy:.1%}")
            rows.append(LayerQuantization(row.name, row.parameters, alone, without))
    return _found(ready, how, scan, quantized, tuple(rows))


def _found(
    ready: JudgedModel,
    how: Judging,
    scan: Scan,
    quantized: QuantizationPoint,
    rows: tuple[LayerQuantization, ...],
) -> QuantizationSensitivity:
    """Puts what a scan found together."""
    whole = scan.whole
    accuracy = wilson_interval(int(whole.right.sum()), len(ready.split))
    return QuantizationSensitivity(
        scheme=how.kind.name,
        accuracy=accuracy.value,
        low=float(accuracy.low or 0.0),
        high=float(accuracy.high or 0.0),
        loss=whole.loss,
        quantized=quantized,
        images=len(ready.split),
        calibration=ready.calibration,
        layers=rows,
        kept_float=tuple(ready.kept_float.items()),
        notes=ready.notes,
    )
