"""`prune_channels`: makes a model smaller and faster by taking out the channels that matter least."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from trimtab import channels
from trimtab.channel_pruning._fine_tuning import FineTuning, kept_answers
from trimtab.channel_pruning._importance import ChannelImportance
from trimtab.channel_pruning._importance_name import channel_importance
from trimtab.channel_pruning._iterative import Rounds
from trimtab.channel_pruning._lasso_groups import lasso_groups
from trimtab.channel_pruning._plan import Plan
from trimtab.channel_pruning._reached import result_of
from trimtab.channel_pruning._result import ChannelPruningResult
from trimtab.channel_pruning._rule import SelectionRule
from trimtab.channel_pruning._scores import unscored
from trimtab.channel_pruning._selection import removal_order
from trimtab.channel_pruning._target import Target
from trimtab.channel_pruning._where import check_without_quantizers
from trimtab.channels._groups import check_free
from trimtab.errors import ConfigError, DataError, ModelError, nearest
from trimtab.models import check_fits, clone
from trimtab.progress import Progress
from trimtab.pruning.where._prunable import as_numpy, check_model
from trimtab.training._settings import Settings

if TYPE_CHECKING:
    from trimtab.channels import ChannelGraph
    from trimtab.data import Augmentation, ImageData

__all__ = ["prune_channels"]

_USUAL: dict[str, Any] = {
    "temperature": 4.0, "alpha": 0.1, "features": (), "feature_weight": 1.0, "attention": (),
    "attention_weight": 1.0, "cache": "auto", "views": 1, "augmented": False,
}  # fmt: skip


def prune_channels(
    model: keras.Model,
    data: ImageData | None = None,
    *,
    ratio: float | None = None,
    parameters: float | str | None = None,
    macs: float | str | None = None,
    size: float | str | None = None,
    latency: float | str | None = None,
    importance: str | ChannelImportance | Callable[[Any, Any], Any] = "l2",
    ranking: str = "global",
    normalization: str = "mean",
    round_to: int = 8,
    least: int = 8,
    max_ratio: float = 0.9,
    layers: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    schedule: str = "one-shot",
    rounds: int | None = None,
    sparsity_learning: str | None = None,
    strength: float | None = None,
    sparsity_epochs: int | None = None,
    recalibrate: bool = True,
    teacher: str | keras.Model | Sequence[keras.Model] | None = None,
    temperature: float | None = None,
    alpha: float | None = None,
    epochs: int = 10,
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
    label: str = "prune channels",
) -> ChannelPruningResult:
    """Returns a new, smaller and faster Keras model: the channels that matter least are gone.

    Channels that can only go together are found first (`trimtab.channels.find_groups`): a filter, its batch
    normalisation, what is added to it, and what takes it in. By default all are ranked together by the L2
    norm of all that holds them, relative to the mean of their group; those of least importance go at once,
    the statistics of batch normalisation are measured anew, and the model is fine-tuned for ten epochs. The
    result is an ordinary Keras model of the same class, with the same layer names. The given model is
    untouched.

    Args:
        model: a built Functional or Sequential Keras 3 classifier, best trained already.
        data: the images to fine-tune on and to validate with. None: only the surgery (``epochs=0``).
        ratio: the target: share of the channels to remove, of those that may go, in (0, 1). Just one target
            is given.
        parameters: or at most so many parameters: ``50_000``, ``"50k"``, or ``"50%"`` of the model's.
        macs: or at most so many multiply-accumulates for one image: ``12e6``, ``"12M"``, ``"50%"``.
        size: or at most so many bytes of the int8 file: ``50_000``, ``"50kB"``, ``"50%"``.
        latency: or at most so many milliseconds for one image, int8, measured on this machine: ``2.0``,
            ``"2ms"``, ``"50%"``.
        importance: how much a channel matters: "l1", "l2", "bn_scale", "taylor" (gradient times weight on
            training images), "fpgm", "random", a function from a group and its weights to scores, or a
            `ChannelImportance`.
        ranking: whom a channel is compared with: all ("global"), or only its own group ("group": each group
            loses the same share).
        normalization: what makes groups comparable in a "global" ranking: "mean", "max" or "none".
        round_to: the channels that stay in a group are a multiple of this; int8 kernels like 8.
        least: at least so many channels stay in a group (or all, where there are fewer).
        max_ratio: at most this share of a group goes.
        layers: names of layers or groups to prune; None: all.
        exclude: names of layers or groups to leave alone; what is tied to them stays too.
        schedule: "one-shot": all at once. "iterative": in rounds with fine-tuning in between; each ranks anew
            and removes the same share of what is left, and the last meets the target.
        rounds: rounds of schedule "iterative"; None: 5.
        sparsity_learning: train before the removal with a group lasso that pulls whole channels towards zero:
            on the scales of batch normalisation ("bn": network slimming, Liu et al. 2017), or on all
            "kernels" that make or take in a channel (Wen et al. 2016, Fang et al. 2023). None: do not.
        strength: how strongly it pulls, the weight of the lasso in the loss; None: 1e-4 on kernels,
            1e-3 on scales.
        sparsity_epochs: epochs of it; None: 5.
        recalibrate: measure the statistics of batch normalisation anew after each removal, where there are
            data; see `recalibrate_batch_norm`.
        teacher: whom to learn from beside the labels while fine-tuning: "itself" (the model as it was given)
            or another classifier of the same images, or several; see `trimtab.distill`. None: the labels.
        temperature: see `trimtab.distill`; None: its usual one.
        alpha: see `trimtab.distill`; None: its usual one.
        epochs: epochs of fine-tuning, in each round; 0: none. A model that is compiled then stays compiled,
            and the state of its optimizer is carried over.
        batch_size: images in one step.
        optimizer: "adam", "adamw" or "sgd".
        learning_rate: the rate of the first step (of each round).
        rate_schedule: for the learning rate: "cosine" or "constant".
        weight_decay: see `trimtab.train`, as for all that follow.
        label_smoothing: share of each label spread over all classes.
        patience: stop after so many epochs without a better one; None: never.
        augmentation: random changes to the training images; None: none.
        from_logits: whether the model gives logits; None: look at it.
        seed: decides the order of the images, their augmentation and dropout, and what is drawn to score.
        callbacks: Keras callbacks.
        checkpoint: file (`.npz`) that keeps the state after each epoch, to continue from; what was chosen
            in each round, and what a teacher says, is kept in files of their own beside it. The same call
            after a kill ends, on a CPU, with bit for bit the same weights.
        keep_checkpoint: leave these files in place when all is done, so that the same call gives the finished
            result at once; delete them once the model is saved.
        progress: where progress is shown; None: nowhere.
        label: what progress calls this.

    Returns:
        The model, each group's channels before and after, parameters and MACs before and after, what was left
        alone and why, what was asked and reached, the history and notes. As text it tells this in short.

    Raises:
        ConfigError: a value makes no sense or contradicts another, a layer name is unknown, or the target
            cannot be met; before anything is trained.
        ModelError: the model is subclassed and has no graph, no channel of it may go, it does not fit the
            data, or it holds NaN; or the teacher does not fit.
        DataError: there are no training or validation images.
        RunError: the checkpoint belongs to another pruning.

    References: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017; Fang et al., "DepGraph:
    Towards Any Structural Pruning", CVPR 2023.

    Example:
        >>> result = trimtab.prune_channels(model, data, macs="50%", teacher="itself")
        >>> print(result)
    """
    plan = Plan(
        schedule, rounds, sparsity_learning, strength, sparsity_epochs, epochs, teacher is not None,
        temperature, alpha, recalibrate,
    )  # fmt: skip
    target = Target(ratio, parameters, macs, size, latency)
    kind = channel_importance(importance)
    choice: dict[str, Any] = {
        "ranking": ranking,
        "normalization": normalization,
        "round_to": round_to,
        "least": least,
        "max_ratio": max_ratio,
        "layers": layers,
        "exclude": exclude,
    }
    rule = SelectionRule(**choice)
    options: dict[str, Any] = {
        "batch_size": batch_size,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "schedule": rate_schedule,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "patience": patience,
        "augmentation": augmentation,
    }
    Settings(epochs=max(epochs, 1), restore_best=True, first_best_epoch=1, seed=seed, **options)
    graph = _graph(model, data, plan, kind)
    order = removal_order(graph, _no_scores(graph, kind), rule)
    with contextlib.ExitStack() as stack:
        tuning = None
        if plan.trains and data is not None:
            whom = _teacher(teacher, model, data, plan)
            path = None if checkpoint is None else Path(checkpoint)
            # With augmentation, each training shows it other images.
            again = kept_answers(path, plan.trainings > 1 and not augmentation)
            answers = None if whom is None else stack.enter_context(again)
            options |= {"callbacks": callbacks, "progress": progress}
            tuning = FineTuning(
                data, options, whom, plan.teaching, from_logits, seed, path, keep_checkpoint, answers
            )
        work = Rounds(
            model, graph, tuple(order.units), target, kind, rule, plan, tuning, data, from_logits, seed,
            label, progress,
        )  # fmt: skip
        if plan.sparsity_learning is not None:
            pulled = [graph.group(name) for name in work.pruned]
            lasso_groups(pulled, model.trainable_variables, plan.sparsity_learning)
            work.check_target()
        left = {**dict(order.left), **dict(unscored(graph, kind))}
        return result_of(work, work.run(), tuple(left.items()))


def _graph(
    model: keras.Model, data: ImageData | None, plan: Plan, importance: ChannelImportance
) -> ChannelGraph:
    """Returns the groups of a model that can be pruned with what was given; refuses all others."""
    check_model(model)
    check_without_quantizers(model)
    if data is not None:
        check_fits(model, data)
    elif plan.trains:
        what = f"Fine-tuning (epochs={plan.epochs})" if plan.epochs else "Sparsity learning"
        raise ConfigError(
            f"{what} needs images to train on, and none were given. Give data, or epochs=0 for the removal "
            "alone."
        )
    elif importance.remembers:
        raise ConfigError(
            f"The importance {importance.name!r} needs training images for its gradients, and none were "
            "given. Give data, or choose one that needs none, such as 'l2'."
        )
    if data is not None and plan.trains:
        for name in ("train", "validation"):
            if not len(getattr(data, name)):
                raise DataError(
                    f"{data.name} has no {name} images; fine-tuning needs some to learn from and some to "
                    "pick the best epoch by. Load it with validation=0.1, or add images."
                )
    for weight in model.weights:
        if not np.isfinite(as_numpy(weight)).all():
            raise ModelError(
                f"The weight {weight.path!r} holds NaN or infinity, so the model is broken. Train it again "
                "with a lower learning rate, or load an earlier state."
            )
    graph = channels.find_groups(model)
    check_free(graph)
    return graph


def _no_scores(graph: ChannelGraph, importance: ChannelImportance) -> dict[str, Any]:
    """Returns zeros for each group that could be scored: enough to see what may go at all."""
    refused = dict(unscored(graph, importance))
    free = [group for group in graph.groups if group.locked is None and group.name not in refused]
    if not free:
        name, reason = next(iter(refused.items()))
        raise ConfigError(
            f"The importance {importance.name!r} can score no group of the model {graph.model.name!r} "
            f"({name}: {reason}). Choose another, such as 'l2'."
        )
    return {group.name: np.zeros(group.size) for group in free}


def _teacher(teacher: Any, model: keras.Model, data: ImageData, plan: Plan) -> Any:
    """Returns whom to learn from, which nothing will change; refuses who does not fit or knows nothing."""
    if teacher is None:
        return None
    from trimtab.distillation._options import Options
    from trimtab.distillation._teachers import checked_teachers, examined

    Options(**{**_USUAL, **plan.teaching})
    if isinstance(teacher, str):
        if teacher != "itself":
            raise ConfigError(
                f"teacher={teacher!r} is not known; give 'itself' or a Keras model."
                f"{nearest(teacher, ['itself'])}"
            )
        teacher = clone(model)  # as it is now, whatever becomes of the one that was given
    elif teacher is model:
        teacher = clone(model)
    for one in checked_teachers(teacher, data):
        examined(one, data)
    return teacher
