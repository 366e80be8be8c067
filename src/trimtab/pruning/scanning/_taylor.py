"""How much the loss would change without a weight: gradient times weight, on a batch of training images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from trimtab.errors import ConfigError, ModelError
from trimtab.models import check_fits
from trimtab.pruning.where._prunable import as_numpy, check_model
from trimtab.pruning.where._where import choose_weights
from trimtab.training._judging import Batch, check_arguments, logits_given, padded_batches, some_images

if TYPE_CHECKING:
    from trimtab.data import ImageData

__all__ = ["batch_gradients", "mean_gradients", "taylor_scores"]

Floats = npt.NDArray[np.float32]


def taylor_scores(
    model: keras.Model,
    data: ImageData,
    *,
    weights: Sequence[keras.Variable] | None = None,
    images: int = 512,
    batch_size: int = 128,
    from_logits: bool | None = None,
    seed: int = 0,
) -> list[Floats]:
    """Says how much each weight matters: about how much the loss would change if it were zero.

    To first order, setting a weight to zero changes the loss by minus gradient times weight. The score is
    the absolute value of that, with the gradient of the mean cross-entropy over some training images. The
    model runs as it does when it predicts: without dropout, with the moving averages of batch normalisation.

    Args:
        model: a built Keras 3 classifier, best trained already; it is not changed.
        data: its training images are used.
        weights: variables of the model to score. None: each kernel that may be pruned.
        images: how many training images, chosen by `seed`; all, where there are fewer.
        batch_size: images in one step.
        from_logits: whether the model gives logits; None: look at its last layer.
        seed: chooses the images.

    Returns:
        One float32 array for each weight, of its shape, with numbers of 0 or more.

    Raises:
        ConfigError: an argument makes no sense, or a weight is not one that the model trains.
        DataError: there are no training images.
        ModelError: the model is not a built Keras 3 model, does not fit the data, or gives gradients that
            are no numbers.

    Reference: P. Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019, equation 8,
    for single weights and without its square; N. Lee et al., "SNIP", ICLR 2019, equation 6, without the
    division by the sum.

    Example:
        >>> scores = trimtab.pruning.taylor_scores(model, data)
    """
    check_model(model)
    check_arguments(data, images, batch_size, from_logits, seed)
    if weights is not None and not isinstance(weights, Sequence):
        raise ConfigError(
            f"weights needs a list of the model's variables, such as [layer.kernel], but got "
            f"{type(weights).__name__}."
        )
    check_fits(model, data)
    if weights is None:
        weights = [weight.variable for weight in choose_weights(model)[0]]
    gradients = mean_gradients(
        model, data, weights, images=images, batch_size=batch_size, from_logits=from_logits, seed=seed
    )
    scores = [np.abs(g * as_numpy(w)) for g, w in zip(gradients, weights, strict=True)]
    return [score.astype(np.float32, copy=False) for score in scores]


def mean_gradients(
    model: keras.Model,
    data: ImageData,
    weights: Sequence[keras.Variable],
    *,
    images: int = 512,
    batch_size: int = 128,
    from_logits: bool | None = None,
    seed: int = 0,
) -> list[Floats]:
    """Returns the gradient of the mean cross-entropy over some training images, as float32 arrays."""
    total = [np.zeros(weight.shape, np.float64) for weight in weights]
    count = 0
    for found, size in batch_gradients(
        model, data, weights, images=images, batch_size=batch_size, from_logits=from_logits, seed=seed
    ):
        count += size
        for place, gradient in zip(total, found, strict=True):
            place += gradient
    return [(place / count).astype(np.float32) for place in total]


def batch_gradients(
    model: keras.Model,
    data: ImageData,
    weights: Sequence[keras.Variable],
    *,
    images: int = 512,
    batch_size: int = 128,
    from_logits: bool | None = None,
    seed: int = 0,
) -> Iterator[tuple[list[Any], int]]:
    """Gives, batch by batch, the gradients of the cross-entropy summed over its images, and their number.

    Args:
        model: a built classifier; it runs as it does when it predicts.
        data: its training images are used.
        weights: trainable variables of the model.
        images: how many training images, chosen by `seed`; all, where there are fewer.
        batch_size: images in a batch.
        from_logits: whether the model gives logits; None: look at its last layer.
        seed: chooses the images.

    Raises:
        ConfigError: a weight is not one that the model trains.
        DataError: there are no training images.
        ModelError: a gradient is no number.
    """
    trained = {id(variable) for variable in model.trainable_variables}
    strangers = sum(id(weight) not in trained for weight in weights)
    if strangers or not weights:
        raise ConfigError(
            f"{strangers} of {len(weights)} weights to score are not among the model's trainable variables. "
            "Give variables of this very model, and unfreeze their layers."
        )
    split = some_images(data.train, images, seed, f"{data.name} has no training images")
    logits = logits_given(model, from_logits, split)
    gradient = _GRADIENTS[keras.backend.backend()](model, list(weights), logits)
    for batch in padded_batches(model, split, batch_size):
        found = gradient(batch)
        if not all(np.isfinite(one).all() for one in found):
            raise ModelError(
                f"The gradients of the model {model.name!r} hold NaN or infinity, so its weights cannot be "
                "scored. Train it again with a lower learning rate, or load an earlier state."
            )
        yield found, int(batch.weights.sum())


Gradient = Callable[[Batch], list[Any]]


def _loss(outputs: Any, labels: Any, weights: Any, logits: bool) -> Any:
    """Returns the cross-entropy summed over the images of a batch that count.

    The sum and not the mean: a mean of float16 gradients would lose its smallest numbers.
    """
    each = ops.sparse_categorical_crossentropy(labels, ops.cast(outputs, "float32"), from_logits=logits)
    return ops.sum(ops.multiply(each, weights))


def _tensorflow(model: keras.Model, weights: list[Any], logits: bool) -> Gradient:
    import tensorflow as tf

    variables = [weight.value for weight in weights]

    def gradients(images: Any, labels: Any, counts: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            loss = _loss(model(images, training=False), labels, counts, logits)
        return tape.gradient(loss, variables, unconnected_gradients="zero")

    # A partial, as in `trimtab.models`: TensorFlow counts traces by code object, and would take a run over
    # several models, or several rounds, for retracing.
    function = tf.function(partial(gradients), autograph=False, jit_compile=False)

    def call(batch: Batch) -> list[Any]:
        return [as_numpy(found) for found in function(batch.images, batch.labels, batch.weights)]

    return call


def _jax(model: keras.Model, weights: list[Any], logits: bool) -> Gradient:
    import jax

    place = {id(variable): number for number, variable in enumerate(model.trainable_variables)}
    places = [place[id(weight)] for weight in weights]

    def loss(chosen: Any, trainable: Any, others: Any, images: Any, labels: Any, counts: Any) -> Any:
        trainable = list(trainable)
        for number, value in zip(places, chosen, strict=True):
            trainable[number] = value
        outputs, _ = model.stateless_call(trainable, others, images, training=False)
        return _loss(outputs, labels, counts, logits)

    function = jax.jit(jax.grad(loss))

    def call(batch: Batch) -> list[Any]:
        trainable = [variable.value for variable in model.trainable_variables]
        others = [variable.value for variable in model.non_trainable_variables]
        chosen = [trainable[number] for number in places]
        found = function(chosen, trainable, others, batch.images, batch.labels, batch.weights)
        return [as_numpy(gradient) for gradient in found]

    return call


def _torch(model: keras.Model, weights: list[Any], logits: bool) -> Gradient:
    import torch

    def call(batch: Batch) -> list[Any]:
        outputs = model(ops.convert_to_tensor(batch.images), training=False)
        labels, counts = ops.convert_to_tensor(batch.labels), ops.convert_to_tensor(batch.weights)
        loss = _loss(outputs, labels, counts, logits)
        found = torch.autograd.grad(loss, [weight.value for weight in weights], allow_unused=True)
        return [0.0 if gradient is None else as_numpy(gradient) for gradient in found]

    return call


_GRADIENTS: dict[str, Callable[[keras.Model, list[Any], bool], Gradient]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}
