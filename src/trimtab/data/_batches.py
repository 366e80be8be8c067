"""Batches for `model.fit` on any backend: pure functions of (seed, epoch), so that a run can be resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.data._augmentation import Augmentation, augmented, drawn
from trimtab.data._image_data import Split
from trimtab.errors import ConfigError, DataError

__all__ = ["Draws", "Plan", "batches"]

_ORDER_STREAM = 0x6F7264


@dataclass(frozen=True, eq=False)
class Draws:
    """What augmentation is drawn for, where that is not the images and the seed of a training.

    Args:
        seed: that it is drawn with, whatever seed orders the images.
        count: images that it is drawn for.
        places: of the split's images among them, int (n,); None: they are all.
    """

    seed: int
    count: int
    places: np.ndarray | None = None


def batches(
    split: Split,
    batch_size: int = 128,
    *,
    seed: int | None = None,
    epochs: int = 1,
    first_epoch: int = 0,
    augmentation: Augmentation | None = None,
    views: int | None = None,
    targets: Sequence[np.ndarray] = (),
    sample_weight: np.ndarray | None = None,
    draws: Draws | None = None,
) -> Any:
    """Returns what `model.fit`, `evaluate` and `predict` take on the active Keras backend.

    It yields (images, labels): float32 of shape (batch, height, width, channels) in the split's
    `input_range`,
    and int32 of shape (batch,). One stream holds all epochs, each of ceil(n / batch_size) batches::

        stream = batches(data.train, 128, seed=0, epochs=10)
        steps = math.ceil(len(data.train) / 128)
        model.fit(stream, epochs=10, steps_per_epoch=steps, shuffle=False)

    Pass ``shuffle=False`` to `fit`: the order is decided here. Order and augmentation depend on seed, epoch
    and image
    alone: a run resumed at `first_epoch` sees exactly the batches that an unbroken one sees, on every
    backend.

    Images of a split with a `size` are moved and cut first, as they are stored, and resized then, several
    batches at once in threads.

    Args:
        split: the images.
        batch_size: images in a batch; the last of an epoch may hold fewer.
        seed: shuffles each epoch anew; None keeps the images in order.
        epochs: how many epochs the stream holds, `first_epoch` being the first of them.
        first_epoch: the number, from 0, of the first epoch.
        augmentation: what may happen to an image; needs a seed.
        views: how many different augmentations of an image there are: epoch ``e`` repeats what happened in
            epoch ``e % views``, in an order of its own. None: each epoch has its own.
        targets: what is to be learnt of each image beside its label: arrays of shape (views, n, width), one
            row for each image in each view (n the images of the split, one view where `views` is None). Then
            the labels come as float32 of shape (batch, 1 + all widths): the label, and after it the rows.
        sample_weight: (n,), how much each image counts; it comes third, as float32 of shape (batch,).
        draws: what augmentation is drawn for, so that targets can be those of a larger set of images, or of
            another training; None: for these images, with `seed`.

    Raises:
        ConfigError: an argument makes no sense.
        DataError: the split holds no images.
    """
    plan = Plan(
        split,
        batch_size,
        seed,
        epochs,
        first_epoch,
        augmentation or Augmentation(),
        views,
        targets,
        sample_weight,
        draws,
    )
    import keras

    if keras.backend.backend() == "tensorflow":
        from trimtab.data._tensorflow_batches import tensorflow_batches

        return tensorflow_batches(plan)
    from trimtab.data._keras_batches import KerasBatches

    return KerasBatches(plan)


class Plan:
    """Which images make which batch, and what happens to them: the same whatever the backend."""

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int | None,
        epochs: int,
        first_epoch: int,
        augmentation: Augmentation,
        views: int | None = None,
        targets: Sequence[np.ndarray] = (),
        sample_weight: np.ndarray | None = None,
        draws: Draws | None = None,
    ) -> None:
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("epochs", epochs, 1),
            ("first_epoch", first_epoch, 0),
            ("seed", 0 if seed is None else seed, 0),
            ("views", 1 if views is None else views, 1),
        ):
            if int(value) != value or value < least:
                raise ConfigError(f"{name} is {value!r}; it needs a whole number, {least} or more.")
        if augmentation and seed is None:
            raise ConfigError(
                "Augmentation was asked for without a seed; it needs one to draw from. Give seed=0."
            )
        if len(split) == 0:
            raise DataError("The split holds no images to make batches of. Load data with a share for it.")
        self.split, self.batch_size, self.seed = split, batch_size, seed
        self.epochs, self.first_epoch, self.augmentation = epochs, first_epoch, augmentation
        self.views, self.targets, self.sample_weight = views, tuple(targets), sample_weight
        self._of = draws or Draws(self.seed or 0, len(split))
        self._check_beside_labels()
        self.steps = -(-len(split) // batch_size)
        self._drawn: tuple[int, tuple[np.ndarray, ...]] | None = None

    def _check_beside_labels(self) -> None:
        """Refuses targets and weights that do not have a row for each image in each view."""
        count, views = len(self.split), self.views or 1
        for target in self.targets:
            if target.ndim != 3 or target.shape[:2] != (views, count):
                raise ConfigError(
                    f"targets have shape {target.shape}; ({views}, {count}, width) was needed: one row for "
                    "each image in each view."
                )
        if self.sample_weight is not None and self.sample_weight.shape != (count,):
            raise ConfigError(
                f"sample_weight has shape {self.sample_weight.shape}; ({count},) was needed: one number for "
                "each image."
            )

    def view(self, epoch: int) -> int:
        """Returns which of the different augmentations an epoch has."""
        return epoch if self.views is None else epoch % self.views

    def order(self, epoch: int) -> np.ndarray:
        """Returns the images' indices, in the order in which the epoch takes them, as int32."""
        count = len(self.split)
        if self.seed is None:
            return np.arange(count, dtype=np.int32)
        random = np.random.default_rng([_ORDER_STREAM, self.seed, epoch])
        return random.permutation(count).astype(np.int32)

    def draws(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns flips, shifts and cutout centres of every image, by its index in the split."""
        shape = (self._of.count, *self.split.images.shape[1:])
        draws = drawn(self.augmentation, shape, self._of.seed, self.view(epoch))
        if self._of.places is None:
            return draws
        flips, shifts, centres = draws
        return flips[self._of.places], shifts[self._of.places], centres[self._of.places]

    def batch(self, number: int) -> tuple[np.ndarray, ...]:
        """Returns batch `number` of the whole stream, from 0, in NumPy."""
        ahead, step = divmod(number, self.steps)
        order, *draws = self._epoch(self.first_epoch + ahead)
        chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
        images = self.split.images[chosen]
        if self.augmentation:
            flips, shifts, centres = (draw[chosen] for draw in draws)
            images = augmented(images, flips, shifts, centres, self.augmentation.cutout)
        return self.split.prepared(images), *self._beside(chosen, self.first_epoch + ahead)

    def _beside(self, chosen: np.ndarray, epoch: int) -> tuple[np.ndarray, ...]:
        """Returns what comes with the chosen images: labels or targets, and weights where there are any."""
        labels = self.split.labels[chosen].astype(np.int32)
        if self.targets:
            rows = [target[epoch % len(target)][chosen].astype(np.float32) for target in self.targets]
            labels = np.concatenate([labels.astype(np.float32)[:, np.newaxis], *rows], axis=1)
        if self.sample_weight is None:
            return (labels,)
        return labels, self.sample_weight[chosen].astype(np.float32)

    def _epoch(self, epoch: int) -> tuple[np.ndarray, ...]:
        """Returns order and draws of an epoch, and keeps those of the last one."""
        kept = self._drawn
        if kept is None or kept[0] != epoch:
            draws = self.draws(epoch) if self.augmentation else ()
            kept = self._drawn = (epoch, (self.order(epoch), *draws))
        return kept[1]
