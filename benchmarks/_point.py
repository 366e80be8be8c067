"""What a worker needs to train a point: the images of a seed, and the accuracy on the test images."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trimtab.data import ImageData, Split

__all__ = ["accuracy", "seed_data"]

_TEST_BATCH = 500


@functools.cache
def seed_data(name: str, seed: int, images: int | None, validation: int | None) -> ImageData:
    """Loads the images of a seed: all test images, and its own draw of the others.

    Args:
        name: of the data set.
        seed: of the draw.
        images: training images; None: all.
        validation: images to choose by; None: all.
    """
    data = _whole(name)
    generator = np.random.default_rng(seed)
    drawn = {
        part: getattr(data, part).take(np.sort(generator.permutation(len(getattr(data, part)))[:count]))
        for part, count in (("train", images), ("validation", validation))
    }
    return dataclasses.replace(data, **drawn)


@functools.cache
def _whole(name: str) -> ImageData:
    from trimtab.data import load_data

    return load_data(name)


def accuracy(model: Any, split: Split) -> float:
    """Returns the share of a split's images that the model gets right."""
    import tensorflow as tf

    batches = tf.data.Dataset.from_tensor_slices((split.inputs(), split.labels)).batch(_TEST_BATCH)
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread would hold up the end
    correct = 0
    predict = tf.function(model)
    for pixels, labels in batches.with_options(options):
        logits = predict(pixels, training=False).numpy()
        correct += int(np.sum(np.argmax(logits, axis=1) == labels.numpy()))
    return correct / len(split)
