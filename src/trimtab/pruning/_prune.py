"""`prune`: sets the weights of a model that matter least to zero while it trains on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras

from trimtab.models import check_fits, clone
from trimtab.progress import Progress
from trimtab.pruning._goal import goal
from trimtab.pruning._iterative import checked_rewinding
from trimtab.pruning._plan import first_best_epoch, given_schedule, named_schedule, steps_in_epoch
from trimtab.pruning._result import PruningResult
from trimtab.pruning._run import Place, PruningRun
from trimtab.pruning.criteria._criterion import Criterion
from trimtab.pruning.criteria._granularity import Granularity
from trimtab.pruning.criteria._importance import Importance
from trimtab.pruning.schedules._schedule import Schedule
from trimtab.pruning.where._policy import Policy
from trimtab.pruning.where._prunable import check_model
from trimtab.pruning.where._where import Where
from trimtab.training._settings import Settings

if TYPE_CHECKING:
    from trimtab.data import Augmentation, ImageData

__all__ = ["prune"]


def prune(
    model: keras.Model,
    data: ImageData,
    *,
    sparsity: float | Mapping[str, float] | None = None,
    schedule: str | Schedule | Callable[[int], float] = "polynomial",
    granularity: str | Granularity = "unstructured",
    importance: str | Importance | Callable[[Any], Any] = "magnitude",
    ranking: str = "layer",
    layers: Where | Policy | None = None,
    exclude: Where = (),
    skip_ends: bool = False,
    frequency: int | None = None,
    rounds: int | None = None,
    rewind: str | None = None,
    rewind_to: keras.Model | None = None,
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
    """Returns a new model whose least important weights are zero, trained on so that the others make up.

    By default, in each layer by itself, the weights of smallest magnitude go (Zhu and Gupta 2017), and the
    sparsity climbs over the first two thirds of the epochs, in about 32 updates at most 100 steps apart;
    then the masks stay, and the rest fine-tunes, while the learning rate falls. Only epochs at the final
    sparsity can be the best. A model that is sparse already never has fewer zeros than at first, and a climb
    begins with their share. The given model is untouched. Zeros make the compressed file smaller, not the
    model faster.

    Args:
        model: a built Keras 3 classifier, best trained already.
        data: the images to train on and to validate with.
        sparsity: share of zeros to reach, in [0, 1): in each weight, or with ranking "global" in all
            together; or a mapping from names of layers to a share each, the others being left alone. None:
            what a `Schedule` ends with; for N:M ``1 - N/M``; or else 0.8.
        schedule: "polynomial" (the sparsity climbs), "constant" (all at once, before the first step, the
            masks being chosen anew for a while), "one-shot" (once, before the first step), "iterative" (in
            rounds, see `rounds`), a `Schedule`, or a function from a step to a share of zeros, which is
            followed to the end of the training.
        granularity: what goes together: "unstructured", blocks of inputs by outputs such as "4x1", N:M such
            as "2:4", or a `Granularity`.
        importance: how much a weight matters: "magnitude", "taylor" (gradient times weight), "random", an
            `Importance`, or a function from a weight tensor to scores.
        ranking: whom a weight is compared with: those of its "layer", or those of all layers ("global").
        layers: the layers to prune: names (a nested model's name means all its layers), classes, a function
            that says yes or no to a layer, or a `Policy`. None: each dense or convolutional layer (and what
            `prunable_weights` was taught).
        exclude: layers to leave alone, in the same manner.
        skip_ends: leave the first and the last layer that may be pruned alone.
        frequency: steps between two updates of the masks; None: see above.
        rounds: rounds of schedule "iterative"; None: 5. Each removes the same share of what is left, chosen
            from the weights as the last round left them, and then trains `epochs` epochs with fixed masks.
        rewind: what begins anew in each round: the learning "rate" (Renda et al. 2020; None is this too), or
            also the "weights": those that stay go back to the values of `rewind_to` (Frankle and Carbin
            2019), and so do all other variables, such as the statistics of batch normalisation.
        rewind_to: an earlier state of the same model; None: the model given.
        epochs: passes over the training images; in each round, with schedule "iterative".
        batch_size: images in one step.
        optimizer: "adam", "adamw" or "sgd".
        learning_rate: the rate of the first step (of each round).
        rate_schedule: for the learning rate: "cosine" (constant while the sparsity climbs, then falling
            to zero), or "constant".
        weight_decay: see `trimtab.train`, as for all that follow.
        label_smoothing: share of each label spread over all classes.
        patience: stop after so many epochs at the final sparsity without a better one; None: never.
        augmentation: random changes to the training images; None: none.
        from_logits: whether the model gives logits; None: look at its last layer.
        seed: decides the order of the images, their augmentation and dropout.
        callbacks: Keras callbacks.
        checkpoint: file that keeps the state after each epoch, masks included, to continue from. Finished
            rounds have files of their own beside it, named ``<its name>.round-1`` and so on.
        keep_checkpoint: leave the checkpoint of a finished pruning in place, so that the same call gives the
            finished result at once; delete it once the model is saved.
        progress: where progress is shown; None: nowhere.
        label: what progress calls this training.

    Returns:
        The model, the zeros asked for and reached, what was skipped and why, the history and notes.

    Raises:
        ConfigError: a value makes no sense or contradicts another, a layer name is unknown, nothing is left
            to prune, or the schedule ends after the training.
        ModelError: the model is not a built Keras 3 model, does not fit the data, or holds NaN; or
            `rewind_to` is another model.

    Example:
        >>> pruned = trimtab.prune(model, data, sparsity=0.8, epochs=6).model
        >>> ticket = trimtab.prune(model, data, sparsity=0.9, schedule="iterative", rewind="weights")
    """
    check_model(model)
    check_fits(model, data)
    criterion = Criterion(granularity, importance, ranking)
    rewinding = checked_rewinding(rounds, rewind, rewind_to, criterion, schedule, model)
    steps = steps_in_epoch(len(data.train), epochs, batch_size)
    given = given_schedule(schedule, frequency, epochs, steps)
    aim = goal(sparsity, given, criterion, layers)

    def plan(initial: float = 0.0) -> Schedule:
        if given is not None:
            return given
        return named_schedule(
            str(schedule),
            aim.share or 0.0,
            frequency,
            epochs,
            steps,
            rounds=rewinding.rounds,
            initial=initial,
        )

    first_best = 1 if schedule == "iterative" else first_best_epoch(plan(), epochs, steps)
    options: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "schedule": rate_schedule,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "patience": patience,
        "first_best_epoch": first_best,
        "augmentation": augmentation,
    }
    Settings(**options, restore_best=True, seed=seed)  # refuses before anything is copied or scored
    where = Place(aim, layers, exclude, skip_ends)
    where.chosen(model, criterion)  # the same
    options |= {"from_logits": from_logits, "callbacks": callbacks, "progress": progress}
    work = PruningRun(
        clone(model),
        data,
        criterion,
        where,
        plan,
        options,
        epochs * steps,
        seed,
        label,
        checkpoint,
        keep_checkpoint,
    )
    return work.in_rounds(rewinding) if schedule == "iterative" else work.in_one(first_best)
