"""The statistics of batch normalisation measured anew, as they must be once channels are gone.

The moving averages of a layer describe what came in before; with some of the incoming channels removed they
are off, and so is every layer behind. Measured anew over training images, they cost a few forward passes and
give back a good part of what the removal took (Li et al. 2020, "EagleEye"; Wu and Johnson 2021, "Rethinking
'Batch' in BatchNorm", section 3).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from trimtab import _keras_internals
from trimtab.errors import ModelError
from trimtab.models import check_fits
from trimtab.training._judging import check_arguments, some_images

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["recalibrate_batch_norm"]

_Calls = dict[int, int]
_Pass = Callable[[Any], None]


def recalibrate_batch_norm(
    model: keras.Model, data: ImageData, *, images: int = 2048, batch_size: int = 128, seed: int = 0
) -> tuple[str, ...]:
    """Measures the statistics of a model's batch normalisations anew over training images, in place.

    Each layer normalises by the statistics of the batch, as it does in training, and its moving mean and
    variance become those of all images together (in float32; every batch counts the same). All other weights
    stay as they are, bit for bit: nothing is trained, and dropout and the like are off.

    Frozen layers (``trainable=False``) and subclasses with code of their own keep their statistics.

    Args:
        model: a built Keras 3 classifier.
        data: its training images are used, without augmentation.
        images: how many training images, chosen by `seed`; all, where there are fewer.
        batch_size: images in one step. What is left over after whole batches is not looked at.
        seed: chooses the images.

    Returns:
        The names of the layers that were measured; none, and nothing was computed, where there are none.

    Raises:
        ConfigError: an argument makes no sense.
        DataError: there are no training images.
        ModelError: the model does not fit the data, or a statistic is not a number.

    Example:
        >>> smaller = trimtab.channels.remove(model, keep)
        >>> trimtab.channel_pruning.recalibrate_batch_norm(smaller, data)
    """
    check_arguments(data, images, batch_size, None, seed)
    check_fits(model, data)
    layers = [layer for layer in _keras_internals.all_layers(model) if _measurable(layer)]
    if not layers:
        return ()
    split = some_images(data.train, images, seed, f"{data.name} has no training images")
    size = _size_of_batch(model, min(batch_size, len(split)))
    before = [(_numpy(layer.moving_mean), _numpy(layer.moving_variance)) for layer in layers]
    done = False
    try:
        with np.errstate(invalid="ignore"):  # said below
            found = _measured(model, layers, split, size)
        for layer, (mean, variance) in zip(layers, found, strict=True):
            if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
                raise ModelError(
                    f"The statistics of {layer.name!r} are not numbers for the training images of "
                    f"{data.name}, so the model is broken there. Train it again with a lower learning rate."
                )
        done = True
    finally:
        for layer, values in zip(layers, found if done else before, strict=True):
            layer.moving_mean.assign(values[0])
            layer.moving_variance.assign(values[1])
    return tuple(layer.name for layer in layers)


def _numpy(variable: Any) -> Any:
    """Returns a copy of the numbers of a variable."""
    return np.array(ops.convert_to_numpy(variable))


def _measurable(layer: Any) -> bool:
    """Tells whether a layer is an ordinary batch normalisation that is not frozen."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.built
        and layer.trainable
        and not layer.renorm
    )


def _size_of_batch(model: keras.Model, wanted: int) -> int:
    """Returns the images in one batch; a model that insists on a number gets it."""
    inputs = getattr(model, "inputs", None) or ()
    return int((inputs[0].shape[0] if inputs else None) or wanted)


def _measured(model: keras.Model, layers: list[Any], split: Any, size: int) -> list[tuple[Any, Any]]:
    """Returns mean and variance of what comes into each layer, over all batches together."""
    means = [np.zeros(layer.moving_mean.shape, np.float64) for layer in layers]
    variances = [np.zeros(layer.moving_mean.shape, np.float64) for layer in layers]
    batches = max(len(split) // size, 1)
    with _measuring(layers) as calls:
        run = _PASSES.get(keras.backend.backend(), _plain)(model, layers, calls)
        for number in range(1, batches + 1):
            images = split.inputs((number - 1) * size, number * size)
            if len(images) < size:  # one batch that is not full: its images fill it up
                images = np.resize(images, (size, *images.shape[1:]))
            run(images)
            for mean, variance, layer in zip(means, variances, layers, strict=True):
                new = _numpy(layer.moving_mean).astype(np.float64)
                spread = _numpy(layer.moving_variance).astype(np.float64)
                step = new - mean
                variance += (spread - variance) / number + step**2 * (number - 1) / number**2
                mean += step / number
    return list(zip(means, variances, strict=True))


@contextlib.contextmanager
def _measuring(layers: list[Any]) -> Iterator[_Calls]:
    """Lets the layers normalise by each batch inside the block, and leave its statistics in their variables.

    Yields:
        How often each layer (by its id) has been called in this pass; to be cleared before each pass.
    """
    calls: _Calls = {}

    class Measuring(keras.layers.BatchNormalization):
        """Batch normalisation that always looks at the batch."""

        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:  # noqa: ARG002
            """Normalises by the batch; a layer called twice in a pass pools what it saw."""
            count = calls[id(self)] = calls.get(id(self), 0) + 1
            mean, variance = self.moving_mean * 1.0, self.moving_variance * 1.0  # no aliases
            outputs = super().call(inputs, training=True, mask=mask)
            if count > 1:
                step = self.moving_mean - mean
                pooled = variance + (self.moving_variance - variance) / count
                self.moving_variance.assign(pooled + ops.square(step) * ((count - 1) / count**2))
                self.moving_mean.assign(mean + step / count)
            return outputs

    kept = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            # Past Keras' own tracking of attributes. Without momentum the averages are the batch's own.
            object.__setattr__(layer, "__class__", Measuring)
            layer.momentum = 0.0
            layer.moving_mean.assign(np.zeros(layer.moving_mean.shape, np.float32))
            layer.moving_variance.assign(np.ones(layer.moving_mean.shape, np.float32))
        yield calls
    finally:
        for layer, momentum in zip(layers, kept, strict=True):
            object.__setattr__(layer, "__class__", keras.layers.BatchNormalization)
            layer.momentum = momentum


def _jax(model: keras.Model, layers: list[Any], calls: _Calls) -> _Pass:
    import jax

    measured = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    place = {id(variable): number for number, variable in enumerate(model.non_trainable_variables)}
    places = [place[id(variable)] for variable in measured]

    @jax.jit
    def function(trainable: Any, others: Any, images: Any) -> Any:
        calls.clear()
        _, after = model.stateless_call(trainable, others, images, training=False)
        return [after[number] for number in places]

    def call(images: Any) -> None:
        trainable = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        for variable, value in zip(measured, function(trainable, others, images), strict=True):
            variable.assign(value)

    return call


def _torch(model: keras.Model, layers: list[Any], calls: _Calls) -> _Pass:
    import torch

    run = _plain(model, layers, calls)

    def call(images: Any) -> None:
        with torch.no_grad():
            run(images)

    return call


def _plain(model: keras.Model, layers: list[Any], calls: _Calls) -> _Pass:  # noqa: ARG001
    def call(images: Any) -> None:
        calls.clear()
        model(ops.convert_to_tensor(images), training=False)

    return call


# TensorFlow runs a few batches as they are in less time than it takes to trace a graph of them.
_PASSES: dict[str, Callable[[keras.Model, list[Any], _Calls], _Pass]] = {
    "jax": _jax,
    "torch": _torch,
}
