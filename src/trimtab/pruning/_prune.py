"""`prune`: sets a model's smallest weights to zero while it trains on."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras

from trimtab.errors import ConfigError, nearest
from trimtab.models import check_fits, clone
from trimtab.progress import Progress
from trimtab.pruning._mask import kept
from trimtab.pruning._optimizer import PruningOptimizer
from trimtab.pruning._prunable import check_model, choose_weights
from trimtab.pruning._schedule import ConstantSparsity, PolynomialSparsity, Schedule
from trimtab.pruning._sparsity import LayerSparsity, measured
from trimtab.training import History, train

if TYPE_CHECKING:
    from trimtab.data import Augmentation, ImageData

__all__ = ["PruningResult", "prune"]

_KINDS = ("polynomial", "constant")


@dataclass(frozen=True)
class PruningResult:
    """What pruning gave.

    Args:
        model: the pruned model, an ordinary Keras model of its own.
        layers: the zeros of each weight that was pruned, beside those asked for.
        skipped: layers with weights that were left alone, each with the reason.
        schedule: the schedule that was followed.
        history: the training that went along with it.
        notes: plain sentences about what was done.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    layers: tuple[LayerSparsity, ...]
    skipped: tuple[tuple[str, str], ...]
    schedule: Schedule = field(metadata={"record": False})  # its type would be lost; a note names it
    history: History
    notes: tuple[str, ...] = ()


def prune(
    model: keras.Model,
    data: ImageData,
    *,
    sparsity: float = 0.8,
    schedule: str | Schedule = "polynomial",
    layers: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    frequency: int | None = None,
    epochs: int = 5,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    rate_schedule: str = "cosine",
    weight_decay: float = 0.0,
    label_smoothing: float = 0.0,
    patience: int | None = None,
    augmentation: Augmentation | None = None,
    from_logits: bool | None = None,
    seed: int = 0,
    callbacks: Sequence[Any] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    keep_checkpoint: bool = False,
    progress: Progress | None = None,
    label: str = "prune",
) -> PruningResult:
    """Returns a new model whose smallest weights are zero, trained on so that the others make up for it.

    In each layer by itself, the weights of smallest magnitude go (Zhu and Gupta 2017). By default the
    sparsity climbs over the first two thirds of the epochs, in about 32 updates at most 100 steps apart;
    then the masks stay, and the rest fine-tunes. Only epochs at the final sparsity can be the best. The
    given model is untouched. Zeros make the compressed file smaller, not the model faster.

    Args:
        model: a built Keras 3 classifier, best trained already.
        data: the images to train on and to validate with.
        sparsity: share of zeros to reach in each weight, in [0, 1).
        schedule: "polynomial" (the sparsity climbs), "constant" (all at once, before the first step), or a
            `Schedule`, which then sets sparsity and frequency itself.
        layers: names of the layers to prune; a nested model's name means all its layers. None: each dense
            or convolutional layer (and what `prunable_weights` was taught).
        exclude: names of layers to leave alone.
        frequency: steps between two updates of the masks; None: see above.
        epochs: passes over the training images.
        batch_size: images in one step.
        optimizer: "adam", "adamw" or "sgd".
        learning_rate: the rate of the first step.
        rate_schedule: "cosine" or "constant", for the learning rate.
        weight_decay: see `trimtab.train`, as for all that follow.
        label_smoothing: share of each label spread over all classes.
        patience: stop after so many epochs at the final sparsity without a better one; None: never.
        augmentation: random changes to the training images; None: none.
        from_logits: whether the model gives logits; None: look at its last layer.
        seed: decides the order of the images, their augmentation and dropout.
        callbacks: Keras callbacks.
        checkpoint: file that keeps the state after each epoch, masks included, to continue from.
        keep_checkpoint: leave the checkpoint of a finished pruning in place, so that the same call gives the
            finished result at once; delete it once the model is saved.
        progress: where progress is shown; None: nowhere.
        label: what progress calls this training.

    Returns:
        The model, the zeros asked for and reached, what was skipped and why, the history and notes.

    Raises:
        ConfigError: a value makes no sense, a layer name is unknown, nothing is left to prune, or the
            schedule ends after the training.
        ModelError: the model is not a built Keras 3 model, does not fit the data, or holds NaN.

    Example:
        >>> pruned = trimtab.prune(model, data, sparsity=0.8, epochs=6).model
    """
    check_model(model)
    check_fits(model, data)
    steps = _steps(len(data.train), epochs, batch_size)
    plan = _schedule(schedule, sparsity, frequency, epochs, steps)
    first_best = _first_best_epoch(plan, epochs, steps)
    choose_weights(model, layers, exclude)  # refuses before the model is copied
    model = clone(model)
    chosen, skipped = choose_weights(model, layers, exclude)
    asked = _asked([weight.size for weight in chosen], [weight.zeros() for weight in chosen], plan)
    trained = train(
        model,
        data,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=rate_schedule,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        patience=patience,
        first_best_epoch=first_best,
        augmentation=augmentation,
        from_logits=from_logits,
        seed=seed,
        wrap_optimizer=lambda inner: PruningOptimizer.for_model(model, inner, plan, layers, exclude),
        callbacks=callbacks,
        checkpoint=checkpoint,
        keep_checkpoint=keep_checkpoint,
        progress=progress,
        label=label,
    )
    shares = [
        plan.target if plan.target is not None else n / w.size for n, w in zip(asked, chosen, strict=True)
    ]
    table = measured(chosen, shares)
    notes = [f"schedule: {plan!r}", *_missed(table, asked, trained.history, first_best), *trained.notes]
    if first_best > 1:
        notes.insert(
            1, f"the final sparsity is reached in epoch {first_best}; only epochs from there on count"
        )
    return PruningResult(model, table, tuple(skipped), plan, trained.history, tuple(notes))


def _steps(images: int, epochs: Any, batch_size: Any) -> int:
    """Returns the batches in one epoch; raises `ConfigError` where they cannot be counted."""
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
            raise ConfigError(f"{name}={value!r} must be a whole number of at least 1.")
    return max(math.ceil(images / int(batch_size)), 1)


def _schedule(
    schedule: str | Schedule, sparsity: float, frequency: int | None, epochs: int, steps: int
) -> Schedule:
    """Returns the schedule to follow: the one given, or one that leaves time to fine-tune."""
    if isinstance(schedule, Schedule):
        if frequency is not None:
            raise ConfigError(
                f"frequency={frequency!r} is given beside {schedule!r}, which says itself when its masks "
                "change. Leave frequency out, or set it in the schedule."
            )
        return schedule
    if schedule not in _KINDS:
        hint = nearest(schedule, _KINDS) if isinstance(schedule, str) else ""
        raise ConfigError(
            f"schedule={schedule!r} is not known; it must be one of {', '.join(_KINDS)}, or a Schedule.{hint}"
        )
    whole = 2 * epochs // 3  # whole epochs, so that the best one is chosen among as many as can be
    end = whole * steps if whole else max(2 * steps // 3, 1)
    every = frequency if frequency is not None else min(max(end // 32, 1), 100)
    if schedule == "constant":
        return ConstantSparsity(sparsity, begin=1, end=max(end, 2), frequency=every)
    return PolynomialSparsity(0.0, sparsity, begin=0, end=end, frequency=every)


def _first_best_epoch(plan: Schedule, epochs: int, steps: int) -> int:
    """Returns the first epoch that ends at the final sparsity."""
    if plan.reached_at > epochs * steps:
        raise ConfigError(
            f"The schedule reaches its sparsity at step {plan.reached_at}, but the training ends after "
            f"{epochs * steps} steps ({epochs} epochs of {steps}). Train longer, or end the schedule earlier."
        )
    return max(math.ceil(plan.reached_at / steps), 1)


def _asked(sizes: list[int], zeros: list[int], plan: Schedule) -> list[int]:
    """Returns how many zeros each weight shall have: by the schedule, or those that it has already."""
    if plan.target is None:
        return zeros
    stay = keras.ops.convert_to_numpy(kept(sizes, plan.target))
    return [size - int(keep) for size, keep in zip(sizes, stay, strict=True)]


def _missed(
    table: Sequence[LayerSparsity], asked: Sequence[int], history: History, first_best: int
) -> list[str]:
    """Says which weights have fewer zeros than were asked for, and why."""
    done = len(history.epochs)
    reason = (
        "weights of equal magnitude stay or go together"
        if done >= first_best
        else f"training ended after epoch {done}, before the schedule's end in epoch {first_best}"
    )
    return [
        f"{row.name}/{row.weight} has {row.zeros} zeros, {wanted - row.zeros} fewer than asked: {reason}"
        for row, wanted in zip(table, asked, strict=True)
        if row.zeros < wanted
    ]
