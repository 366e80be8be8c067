"""Cross-layer equalisation: channels of like size, so that one step for a whole tensor suits them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trimtab.errors import ConfigError, ModelError
from trimtab.litert._plain import in_float32
from trimtab.litert._signature import predict
from trimtab.quantization._scale_groups import Ids, ScaledWeights, ScaleGroups, find_scale_groups
from trimtab.quantization._watching import Floats, batches, channel_peaks, watch

__all__ = ["Equalized", "EqualizedLayer", "equalize"]

_SWEEPS = 60
_SETTLED = 1e-4  # of a logarithm
_FURTHEST = 2.0**12  # a channel that is all but dead is not blown up any further
_TOLERANCE = 1e-3  # of the outputs' spread
_PROBES = 16

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EqualizedLayer:
    """What became of the channels that one layer makes.

    Args:
        name: the layer, by its name in the equalised model.
        channels: how many channels it makes.
        smallest: the smallest factor that one was divided by.
        largest: the largest.
    """

    name: str
    channels: int
    smallest: float
    largest: float


@dataclass(frozen=True)
class Equalized:
    """What `equalize` gave.

    Args:
        model: the equalised model: flat, batch normalisation folded, the same outputs.
        layers: the layers whose channels were scaled, in the order of the graph.
        skipped: layers whose channels stayed as they were, each with the reason.
        notes: plain sentences about what was done.
        origin: for each layer of the equalised model, by name, the paths of the original ones that it stands
            for, as `fold` tells them.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    layers: tuple[EqualizedLayer, ...]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    origin: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict, metadata={"record": False}, repr=False
    )


def equalize(model: keras.Model, images: Floats | None = None) -> Equalized:
    """Rescales the channels of a model to like sizes, so that less is lost when it is quantized.

    A channel is divided by a factor in the layer that makes it and multiplied by it in those that take it in;
    ReLU, pooling and sums in between let factors through, so the outputs stay what they were. Kernels and
    feature maps that are quantized with one step for all channels then lose less to the widest of them. Only
    post-training quantization gains; what it gains is small where kernels have a step for each channel.

    Without images the factors make the kernels on both sides alike: ``s = sqrt(r_out / r_in)`` with the
    largest weights of the channel on its two sides, over and over until nothing moves. With images they
    weigh how large each channel gets on them against the kernels that read it (a depthwise kernel, which has
    a step for each channel, weighs nothing).

    ReLU6 clips all channels at 6, so without images what leads into it stays as it is. With them, channels
    that it clips stay, and all others are scaled no further than that it would not clip on these images; on
    other images the outputs then differ as far as those go beyond.

    Args:
        model: a built Functional or Sequential model. It is folded first (`trimtab.quantization.fold`).
        images: float32 (n, height, width, channels), scaled as the model takes them; 100 or so training
            images. None: go by the weights alone.

    Returns:
        The equalised model, a copy, and what was scaled and what was not.

    Raises:
        ConfigError: the images are none.
        ModelError: the model has no graph, or the outputs would not stay the same.

    References:
        M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019,
        equation 11 (without images; biases are not absorbed). G. Xiao et al., "SmoothQuant", ICML 2023,
        equation 4 (with images, on convolutions, with the largest weights taken relative to each output's).

    Example:
        >>> equalized = trimtab.quantization.equalize(model, data.train.inputs(0, 100))
        >>> trimtab.export(equalized.model, "small.tflite", scheme="int8", data=data)
    """
    from trimtab.quantization.folding import fold

    if not isinstance(model, keras.Model):
        raise ModelError(f"A Keras model is needed. Received: {type(model).__name__}.")
    if images is not None and (np.ndim(images) != 4 or not len(images)):
        raise ConfigError(
            "equalize needs images as float32 (n, height, width, channels), or None to go by the weights. "
            f"Received: shape {np.shape(images)}."
        )
    model, notes = in_float32(model)
    folded = fold(model)
    flat = folded.model
    groups = find_scale_groups(flat)
    peaks = None if images is None else _peaks(flat, groups, images)
    _lock_clipped(groups, peaks)
    roots = groups.roots()
    factors = _by_weights(groups, roots) if peaks is None else _by_peaks(groups, roots, peaks)
    factors = factors[roots]
    wanted = _outputs(flat, images)
    done: set[int] = set()
    for weights in groups.weights:
        _scale(weights, factors, done)
    _check_equal(flat, wanted, _outputs(flat, images))
    layers, skipped = _told(groups, factors)
    return Equalized(flat, layers, skipped, (*_notes(groups, images), *notes), folded.origin)


def _peaks(model: keras.Model, groups: ScaleGroups, images: Floats) -> dict[str, Doubles]:
    """Returns the largest absolute value of each channel of each tensor that matters, by the layer's path."""
    paths = {*groups.read, *(limit.path for limit in groups.limits)}
    run = watch(model, sorted(paths), channel_peaks)
    peaks: dict[str, Doubles] = {}
    for batch in batches(images):
        for path, calls in run(batch).items():
            for values in calls:
                before = peaks.get(path, np.zeros(len(values)))
                peaks[path] = np.maximum(before, values.astype(np.float64))
    return peaks


def _lock_clipped(groups: ScaleGroups, peaks: dict[str, Doubles] | None) -> None:
    """Lets channels stay as they are that an activation clips, or may clip for all that is known."""
    for limit in groups.limits:
        if peaks is None:
            why = f"clipped at {limit.value:g} by {limit.path!r}; equalize can look how far they go on images"
            groups.lock(limit.ids, why)
        else:
            clipped = peaks[limit.path] >= limit.value * (1 - 1e-6)
            groups.lock(limit.ids[clipped], f"clipped at {limit.value:g} by {limit.path!r}")


def _least(groups: ScaleGroups, roots: Ids, peaks: dict[str, Doubles]) -> Doubles:
    """Returns the smallest factor of each channel with which no activation clips it."""
    least = np.zeros(len(roots))
    for limit in groups.limits:
        np.maximum.at(least, roots[limit.ids], peaks[limit.path] / limit.value)
    return least


def _by_weights(groups: ScaleGroups, roots: Ids) -> Doubles:
    """Returns the factor of each channel that makes the kernels on both its sides alike."""
    factors = np.ones(len(roots))
    tables = [_table(weights) for weights in groups.weights]
    for _ in range(_SWEEPS):
        out, into = np.zeros(len(roots)), np.zeros(len(roots))
        for weights, table in zip(groups.weights, tables, strict=True):
            takes, gives = roots[weights.takes], roots[weights.gives]
            now = table * factors[takes][:, None] / factors[gives].reshape(_gives_of(weights))
            np.maximum.at(into, takes, now.max(axis=1))
            np.maximum.at(out, gives, (now if weights.depthwise else now.max(axis=0)).ravel())
        ratio = np.sqrt(np.divide(out, into, out=np.ones(len(roots)), where=(out > 0) & (into > 0)))
        ratio[0] = 1.0
        new = np.clip(factors * ratio, 1 / _FURTHEST, _FURTHEST)
        moved = float(np.abs(np.log(new / factors)).max())
        factors = new
        if moved < _SETTLED:
            break
    return factors


def _by_peaks(groups: ScaleGroups, roots: Ids, peaks: dict[str, Doubles]) -> Doubles:
    """Returns the factor of each channel that weighs its size in feature maps against the kernels behind."""
    size, into = np.zeros(len(roots)), np.zeros(len(roots))
    for path, ids in groups.read.items():
        np.maximum.at(size, roots[ids], peaks[path])
    for weights in groups.weights:
        if not weights.depthwise:
            table = _table(weights)
            widest = table.max(axis=0, keepdims=True)
            share = np.divide(table, widest, out=np.zeros_like(table), where=widest > 0)
            np.maximum.at(into, roots[weights.takes], share.max(axis=1))
    alive = size > 0
    factors = np.where(alive, size, 1.0)
    read = alive & (into > 0)
    factors[read] = np.sqrt(size[read] / into[read])
    factors[0] = 1.0
    for weights in groups.weights:  # the widest channel of each tensor stays as wide as it is
        gives = np.unique(roots[weights.gives])
        gives = gives[alive[gives] & (gives > 0)]
        if len(gives):
            factors[gives] *= (size[gives] / factors[gives]).max() / size[gives].max()
    factors = np.maximum(np.clip(factors, 1 / _FURTHEST, _FURTHEST), _least(groups, roots, peaks))
    factors[0] = 1.0
    return np.asarray(factors, np.float64)


def _gives_of(weights: ScaledWeights) -> tuple[int, ...]:
    """Returns the shape of the factors of what goes out, beside a table of the kernel."""
    return weights.gives_shape if weights.depthwise else (1, len(weights.gives))


def _table(weights: ScaledWeights) -> Doubles:
    """Returns the largest absolute weights of a kernel: (in, out), or (in, multiplier) of a depthwise one."""
    kernel = np.abs(keras.ops.convert_to_numpy(weights.kernel).astype(np.float64))
    table = kernel.reshape(-1, *kernel.shape[-2:]).max(axis=0)
    return np.asarray(table.T if len(weights.takes_shape) == 1 else table)


def _scale(weights: ScaledWeights, all_factors: Doubles, done: set[int]) -> None:
    """Writes the scaled kernel and bias into a layer, once."""
    if id(weights.kernel) in done:
        return
    done.add(id(weights.kernel))
    takes, gives = all_factors[weights.takes], all_factors[weights.gives]
    if (takes == 1).all() and (gives == 1).all():
        return
    kernel = keras.ops.convert_to_numpy(weights.kernel).astype(np.float64)
    scaled = kernel * takes.reshape(weights.takes_shape) / gives.reshape(weights.gives_shape)
    weights.kernel.assign(scaled.astype(np.float32))
    if weights.bias is not None:
        bias = keras.ops.convert_to_numpy(weights.bias).astype(np.float64)
        weights.bias.assign((bias / gives).astype(np.float32))


def _outputs(model: keras.Model, images: Floats | None) -> Floats:
    """Returns what the model gives for some images, or for noise where there are none."""
    if images is not None:
        return predict(model, np.asarray(images[:_PROBES], np.float32))
    shape = [size or 32 for size in model.inputs[0].shape[1:]]
    return predict(model, np.random.default_rng(0).normal(size=(_PROBES, *shape)).astype(np.float32))


def _check_equal(model: keras.Model, wanted: Floats, got: Floats) -> None:
    """Raises `ModelError` where scaling has changed the outputs."""
    spread = float(np.std(wanted)) or 1.0
    error = float(np.abs(wanted - got).max()) / spread
    if not error <= _TOLERANCE:
        raise ModelError(
            f"The outputs of {model.name!r} would move by {error:.1%} of their spread when its channels are "
            "equalised, so it is left alone: one of its layers does not do what its class says. Quantize it "
            "without equalize."
        )


def _told(
    groups: ScaleGroups, factors: Doubles
) -> tuple[tuple[EqualizedLayer, ...], tuple[tuple[str, str], ...]]:
    """Says which layers' channels were scaled, and which were not and why."""
    found: dict[str, EqualizedLayer] = {}
    skipped: dict[str, str] = {}
    roots = groups.roots()
    for weights in groups.weights:
        own = factors[weights.gives]
        if (roots[weights.gives] == 0).all():
            reason = groups.reasons.get(weights.layer) or groups.why(weights.gives)
            skipped.setdefault(weights.layer, reason)
        else:
            made = EqualizedLayer(weights.layer, len(own), float(own.min()), float(own.max()))
            found[weights.layer] = made
    return tuple(found.values()), tuple((name, why) for name, why in skipped.items() if name not in found)


def _notes(groups: ScaleGroups, images: Floats | None) -> tuple[str, ...]:
    """Says by what the factors were chosen."""
    if images is None:
        return ("factors chosen by the weights alone",)
    note = f"factors chosen by the weights and {len(images)} images"
    if not groups.limits:
        return (note,)
    return note, "where ReLU6 clips beyond what these images reach, outputs may differ on others"
