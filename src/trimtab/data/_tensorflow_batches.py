"""Batches for the TensorFlow backend: a tf.data pipeline that works in TensorFlow's own threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.data._resizing import filter_matrix

if TYPE_CHECKING:
    from trimtab.data._batches import Plan

__all__ = ["tensorflow_batches"]

_MOST_TOGETHER = 16  # batches that are made at a time, which bounds the memory that they take


def tensorflow_batches(plan: Plan) -> Any:
    """Returns the plan's batches as a `tf.data.Dataset`.

    NumPy is asked once for each epoch (order, and what happens to each image); gathering, moving and scaling
    pixels is TensorFlow's, beside the training step. Autotune is off: its thread sleeps in doubling steps,
    and the end of every `fit` would wait for it.
    """
    import tensorflow as tf

    with tf.device("CPU:0"):
        images = tf.constant(plan.split.images)
    beside = _beside_images(plan)

    def epoch_draws(epoch: Any) -> Any:
        number = int(epoch)
        return plan.order(number), *(plan.draws(number) if plan.augmentation else ())

    def one_epoch(epoch: Any) -> Any:
        shapes = ([None], [None], [None, 2], [None, 2])[: 4 if plan.augmentation else 1]
        drawn = tf.numpy_function(epoch_draws, [epoch], [tf.int32] * len(shapes), stateful=False)
        order, *draws = (tf.ensure_shape(draw, shape) for draw, shape in zip(drawn, shapes, strict=True))

        def batch(step: Any) -> Any:
            chosen = order[step * plan.batch_size : (step + 1) * plan.batch_size]
            if plan.augmentation:
                pixels = _augmented(images, chosen, [tf.gather(draw, chosen) for draw in draws], plan)
            else:
                pixels = tf.gather(images, chosen)
            return _resized(_scaled(pixels, plan.split.input_range), plan), *beside(chosen, epoch)

        steps = tf.data.Dataset.range(plan.steps)
        if plan.split.size is None:
            return steps.map(batch)  # one after the other keeps up with the training
        together = min(os.cpu_count() or 1, _MOST_TOGETHER)
        return steps.map(batch, num_parallel_calls=together, deterministic=True)

    epochs = tf.data.Dataset.range(plan.first_epoch, plan.first_epoch + plan.epochs)
    stream = epochs.flat_map(one_epoch).prefetch(4)
    options = tf.data.Options()
    options.autotune.enabled = False
    stream = stream.with_options(options)
    return stream.apply(tf.data.experimental.assert_cardinality(plan.epochs * plan.steps))


def _beside_images(plan: Plan) -> Any:
    """Does what `Plan._beside` does: returns a function from the chosen images and the epoch."""
    import tensorflow as tf

    count, weights = len(plan.split), plan.sample_weight
    with tf.device("CPU:0"):
        labels = tf.constant(plan.split.labels.astype(np.int32))
        # One row for each image in each view, so that a step gathers its rows and copies no other.
        targets = [tf.constant(target.reshape(-1, target.shape[2])) for target in plan.targets]
        importance = None if weights is None else tf.constant(weights.astype(np.float32))

    def beside(chosen: Any, epoch: Any) -> tuple[Any, ...]:
        answers = tf.gather(labels, chosen)
        if targets:
            view = tf.cast(epoch, tf.int64) % (plan.views or 1)
            rows = tf.cast(chosen, tf.int64) + view * count
            learnt = [tf.cast(tf.gather(target, rows), tf.float32) for target in targets]
            answers = tf.concat([tf.cast(answers, tf.float32)[:, tf.newaxis], *learnt], axis=1)
        return (answers,) if importance is None else (answers, tf.gather(importance, chosen))

    return beside


def _scaled(pixels: Any, input_range: tuple[float, float]) -> Any:
    """Does what `trimtab.data._image_data.scaled` does, operation by operation."""
    import tensorflow as tf

    low, high = (np.float32(end) for end in input_range)
    values = tf.cast(pixels, tf.float32)
    if pixels.dtype == tf.uint8:
        values = values / np.float32(255)
    return values if low == 0 and high == 1 else values * (high - low) + low


def _resized(values: Any, plan: Plan) -> Any:
    """Does what `trimtab.data._resizing.resized` does, with the same weights."""
    import tensorflow as tf

    if plan.split.size is None:
        return values
    (height, width, channels), size = values.shape[1:], plan.split.size
    rows, columns = filter_matrix(height, size[0]), filter_matrix(width, size[1])
    wide = tf.reshape(tf.matmul(columns, values), [-1, height, size[1] * channels])
    return tf.reshape(tf.matmul(rows, wide), [-1, *size, channels])


def _augmented(images: Any, chosen: Any, draws: Sequence[Any], plan: Plan) -> Any:
    """Does what `trimtab.data._augmentation.augmented` does, as one gather from all images."""
    import tensorflow as tf

    flips, shifts, centres = draws
    height, width, channels = images.shape[1:]
    rows, columns = tf.range(height), tf.range(width)
    from_rows, from_columns = rows - shifts[:, :1], columns - shifts[:, 1:]
    keep_rows = (from_rows >= 0) & (from_rows < height)
    keep_columns = (from_columns >= 0) & (from_columns < width)
    from_columns = tf.where(flips[:, tf.newaxis] == 1, width - 1 - from_columns, from_columns)
    keep = keep_rows[:, :, tf.newaxis] & keep_columns[:, tf.newaxis, :]
    if plan.augmentation.cutout:
        start = centres - plan.augmentation.cutout // 2
        stop = start + plan.augmentation.cutout
        in_rows = (rows >= start[:, :1]) & (rows < stop[:, :1])
        in_columns = (columns >= start[:, 1:]) & (columns < stop[:, 1:])
        keep &= ~(in_rows[:, :, tf.newaxis] & in_columns[:, tf.newaxis, :])
    first_rows = tf.cast(chosen, tf.int64)[:, tf.newaxis] * height  # 64 bits: there may be 2**31 pixels
    source_rows = first_rows + tf.cast(tf.clip_by_value(from_rows, 0, height - 1), tf.int64)
    source_columns = tf.cast(tf.clip_by_value(from_columns, 0, width - 1), tf.int64)
    places = source_rows[:, :, tf.newaxis] * width + source_columns[:, tf.newaxis, :]
    moved = tf.gather(tf.reshape(images, [-1, channels]), places)
    return moved * tf.cast(keep, images.dtype)[..., tf.newaxis]
