"""Empirical bias correction: rounding shifts the mean of a channel, and its bias shifts it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab import _keras_internals
from trimtab.errors import ConfigError, ModelError
from trimtab.models import clone
from trimtab.progress import Progress, Silent
from trimtab.quantization._switches import check_aware, quantizers, switched
from trimtab.quantization._watching import Floats, Watched, batches, channel_means, watch

__all__ = ["BiasCorrected", "CorrectedLayer", "correct_bias"]

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CorrectedLayer:
    """What was done to the bias of one layer.

    Args:
        name: the layer, by its name in the aware model.
        shift: how far quantization had moved its channels, absolute, the mean over the channels.
        share: the same as a share of the channels' own means, absolute.
    """

    name: str
    shift: float
    share: float


@dataclass(frozen=True)
class BiasCorrected:
    """What `correct_bias` gave.

    Args:
        model: the aware model with corrected biases, a copy.
        layers: the layers whose bias was corrected, in the order of the graph.
        skipped: quantized layers that have no bias, or share it between calls, each with the reason.
        images: how many images the means are of.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    layers: tuple[CorrectedLayer, ...]
    skipped: tuple[tuple[str, str], ...]
    images: int


def correct_bias(
    aware: keras.Model,
    images: Floats,
    *,
    progress: Progress | None = None,
    label: str = "bias correction",
) -> BiasCorrected:
    """Moves each bias of a quantized model so that its channel has the mean that it has without quantization.

    Rounding a kernel does not only add noise: the sum of its errors shifts each channel, and in a depthwise
    kernel of nine weights they do not cancel. Layer by layer, in the order of the graph, the mean of each
    channel over some images is compared between the model with its quantizers off and on, the layers before
    it corrected already, and the difference is taken out of the bias: one pass over the images a layer. (All
    layers at once would take it out twice, where one layer moves the next, and that adds up.) Nothing is
    trained. Only post-training quantization gains; training with quantizers does this by itself.

    Args:
        aware: a model with quantizers and their ranges, from `trimtab.quantization.calibrated`.
        images: float32 (n, height, width, channels), scaled as the model takes them; training images, 100
            or more: fewer move the biases by noise.
        progress: where progress is shown; None: nowhere.
        label: what progress calls it.

    Returns:
        The corrected model, a copy, and how far each layer had shifted.

    Raises:
        ConfigError: there are no such images.
        ModelError: the model has no quantizers, or its outputs are not numbers.

    Reference: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
    ICCV 2019, section 4.2 and appendix D (the empirical way).

    Example:
        >>> aware = trimtab.quantization.calibrated(model, images, weights_bits=4)
        >>> corrected = trimtab.quantization.correct_bias(aware, images)
        >>> trimtab.export(corrected.model, "small.tflite", scheme="int4", data=data)
    """
    check_aware(aware, "correct_bias")
    if np.ndim(images) != 4 or not len(images):
        raise ConfigError(
            "correct_bias needs images as float32 (n, height, width, channels). "
            f"Received: shape {np.shape(images)}."
        )
    model = clone(aware)
    layers, skipped = _correctable(model)
    run = watch(model, list(layers), channel_means)
    done = []
    with (progress or Silent()).task(label, 1 + len(layers), "layers") as task:
        with switched(model, ()):
            wanted = _means(run, images)
        _check_finite(model, wanted)
        task.advance(1, "without quantization")
        for path, layer in layers.items():
            shift = _means(run, images)[path] - wanted[path]
            layer.bias.assign((_bias(layer) - shift).astype(np.float32))
            done.append(CorrectedLayer(path, float(np.abs(shift).mean()), _share(shift, wanted[path])))
            task.advance(1, f"{path} was off by {done[-1].share:.2%}")
    return BiasCorrected(model, tuple(done), skipped, len(images))


def _bias(layer: Any) -> Doubles:
    """Returns a layer's bias."""
    return np.array(keras.ops.convert_to_numpy(layer.bias), np.float64)


def _share(shift: Doubles, means: Doubles) -> float:
    """Returns how large a shift is beside the means of the channels."""
    return float(np.abs(shift).mean() / (np.abs(means).mean() or 1.0))


def _correctable(model: keras.Model) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """Returns the layers whose bias can be moved, by their path in the order of the graph; and the others."""
    able = {id(layer) for layer in quantizers(model)}
    calls: dict[str, list[Any]] = {}

    def visit(call: _keras_internals.Call) -> None:
        if id(call.operation) in able and hasattr(call.operation, "bias"):
            calls.setdefault("/".join(call.path), []).append(call.operation)

    _keras_internals.walk_graph(model, list(model.inputs), visit)
    found, skipped = {}, []
    for path, layers in calls.items():
        if layers[0].bias is None:
            skipped.append((path, "has no bias"))
        elif len(layers) > 1:
            skipped.append((path, "is called more than once, and its bias serves all calls"))
        elif getattr(layers[0], "activation", None) not in (None, keras.activations.linear):
            skipped.append((path, "has an activation inside, which hides how far its bias is off"))
        else:
            found[path] = layers[0]
    return found, tuple(skipped)


def _means(run: Watched, images: Floats) -> dict[str, Doubles]:
    """Returns the mean of each channel of each watched layer over the images."""
    total: dict[str, Doubles] = {}
    for batch in batches(images):
        for path, (values,) in run(batch).items():
            total[path] = total.get(path, np.zeros(len(values))) + values.astype(np.float64) * len(batch)
    return {path: values / len(images) for path, values in total.items()}


def _check_finite(model: keras.Model, means: dict[str, Doubles]) -> None:
    """Raises `ModelError` where a layer gives no numbers."""
    for path, values in means.items():
        if not np.isfinite(values).all():
            raise ModelError(
                f"The layer {path!r} of {model.name!r} gives NaN or infinite numbers on these images, so no "
                "bias can be corrected. Train the model with a lower learning rate, or look at the images."
            )
