"""`cluster`: lets the weights of a model share a few values, and trains on while they share them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from trimtab.clustering._options import ClusteringOptions
from trimtab.clustering._result import ClusteringResult
from trimtab.clustering._shared_values import snapped
from trimtab.clustering._table import counted, entropy, weights_gzip
from trimtab.clustering._which import chosen_weights
from trimtab.errors import ConfigError
from trimtab.models import check_fits, clone
from trimtab.models._kernels import PrunableWeight, as_numpy, check_model
from trimtab.models._where import Where
from trimtab.progress import Progress, Silent, Task
from trimtab.training import History, train
from trimtab.training._settings import Settings
from trimtab.training._shared_weight import SharedWeight, groups_of
from trimtab.training._sharing_optimizer import SharingOptimizer
from trimtab.training._train import check_data

if TYPE_CHECKING:
    from trimtab.data import Augmentation, ImageData

__all__ = ["cluster"]

_WEIGHED = 8 << 20  # bytes of weights that gzip takes a few seconds for


def cluster(
    model: keras.Model,
    data: ImageData | None = None,
    *,
    clusters: int = 16,
    init: str = "kmeans++",
    per: str = "layer",
    layers: Where | None = None,
    exclude: Where = (),
    skip_ends: bool = False,
    keep_zeros: bool = True,
    gradients: str | None = None,
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
    label: str = "cluster",
) -> ClusteringResult:
    """Returns a new model whose layers have a few different weights each, trained on so that these fit.

    In each layer k-means puts the weights into clusters, and the mean of its cluster takes each weight's
    place; then the means are trained with shared gradients, and which weight belongs to which cluster stays
    (Han et al. 2016). The given model is untouched. Fewer different values make the compressed file smaller:
    not the file itself, and not the model faster.

    The centroids are the end of Lloyd's algorithm on the sorted weights, whose step costs ``clusters *
    log(weights)``, so that millions take a second. One dimension has an exact solution too, which takes
    hundreds of times longer; the best of ten starts comes within a few per cent of it, and training moves
    the centroids anyway (see `trimtab.clustering.kmeans`).

    Args:
        model: a built Keras 3 classifier, best trained (and pruned) already.
        data: the images to train on and to validate with. None: nothing is trained on.
        clusters: different values in each layer (or channel), 2 to 256; zero is one of them where it is kept.
        init: where centroids start: "kmeans++" (drawn from the weights, far from each other; Arthur and
            Vassilvitskii 2007), "linear" (evenly from the least to the largest weight; those that start where
            no weight is stay unused), or "density" (evenly over the sorted weights, so that each begins with
            as many; few for the large ones).
        per: what has centroids of its own: each "layer", or each output "channel", which fits better and
            compresses worse.
        layers: the layers to cluster: names (a nested model's name means all its layers), classes, or a
            function that says yes or no to a layer. None: each dense or convolutional layer (and what
            `trimtab.pruning.prunable_weights` was taught).
        exclude: layers to leave alone, in the same manner.
        skip_ends: leave the first and the last layer that may be clustered alone.
        keep_zeros: weights that are zero stay zero, as a cluster of their own; for pruned models.
        gradients: what each weight of a cluster learns from: the "sum" of their gradients, or the "mean";
            see `trimtab.clustering.SharingOptimizer`. None: "mean" for "sgd", else "sum".
        epochs: passes over the training images with shared weights; 0: none.
        batch_size: images in one step.
        optimizer: "adam", "adamw" or "sgd".
        learning_rate: the rate of the first step. The fewer clusters, the more a high one gains.
        rate_schedule: for the learning rate: "cosine" or "constant".
        weight_decay: see `trimtab.train`, as for all that follow.
        label_smoothing: share of each label spread over all classes.
        patience: stop after so many epochs without a better one; None: never.
        augmentation: random changes to the training images; None: none.
        from_logits: whether the model gives logits; None: look at its last layer.
        seed: decides where k-means++ starts, and the order of the images, their augmentation and dropout.
        callbacks: Keras callbacks.
        checkpoint: file that keeps the state after each epoch, clusters included, to continue from.
        keep_checkpoint: leave the checkpoint of a finished clustering in place.
        progress: where progress is shown; None: nowhere.
        label: what progress calls the training.

    Returns:
        The model, the different values of each layer, what was skipped and why, the history and notes.

    Raises:
        ConfigError: a value makes no sense, a layer name is unknown, or nothing is left to cluster.
        ModelError: the model is not a built Keras 3 model, does not fit the data, or holds NaN.

    Example:
        >>> clustered = trimtab.cluster(model, data, clusters=16, epochs=3).model
        >>> both = trimtab.cluster(trimtab.prune(model, data, sparsity=0.7).model, data).model

    References:
        S. Han, H. Mao, W. J. Dally, "Deep compression: compressing deep neural networks with pruning, trained
        quantization and Huffman coding", ICLR 2016.
        D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    """
    check_model(model)
    training: dict[str, Any] = {
        "epochs": _checked_epochs(epochs),
        "batch_size": batch_size,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "schedule": rate_schedule,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "patience": patience,
        "augmentation": augmentation,
        "seed": seed,
    }
    Settings(**{**training, "epochs": max(epochs, 1)}, restore_best=True, first_best_epoch=1)
    options = ClusteringOptions(clusters, init, per, keep_zeros, gradients, seed)
    if data is not None:
        check_fits(model, data)
        check_data(data)
    copy = clone(model)
    weights, skipped = chosen_weights(copy, layers, exclude, skip_ends, options)
    shown = progress or Silent()
    with shown.task(f"{label}: find clusters", total=len(weights), unit="weights") as task:
        errors = _snap(weights, options, task)
    history, notes = History.of((), 0), _told_of_zeros(weights, options)
    sharing = options.sharing(optimizer)
    if data is None or not epochs:
        notes.append("nothing was trained on: the values are those that k-means found")
    else:
        held = [
            SharedWeight(weight.variable, groups_of(as_numpy(weight.variable), zeros=keep_zeros))
            for weight in weights
        ]
        trained = train(
            copy,
            data,
            **training,
            from_logits=from_logits,
            wrap_optimizer=lambda inner: SharingOptimizer(inner, held, gradients=sharing),
            callbacks=callbacks,
            checkpoint=checkpoint,
            keep_checkpoint=keep_checkpoint,
            progress=progress,
            label=label,
        )
        history = trained.history
        notes += trained.notes
    rows = counted(weights, errors)
    fewer = [f"{row.name}/{row.weight} ({row.clusters})" for row in rows if row.clusters < options.clusters]
    if fewer:
        notes.append(f"fewer different values than {options.clusters}: {', '.join(fewer)}")
    small = sum(weight.size for weight in weights) * 4 <= _WEIGHED
    return ClusteringResult(
        copy,
        rows,
        tuple(skipped),
        history,
        tuple(notes),
        options.clusters,
        init,
        per,
        sharing,
        entropy(rows),
        weights_gzip(model) if small else None,
        weights_gzip(copy) if small else None,
    )


def _snap(weights: Sequence[PrunableWeight], options: ClusteringOptions, task: Task) -> dict[int, float]:
    """Puts centroids in the place of weights; returns what that changed, by the id of the variable."""
    errors = {}
    for place, weight in enumerate(weights):
        values = as_numpy(weight.variable).astype(np.float32)
        found = snapped(values, weight.around[-1], weight.name, options, place)
        weight.variable.assign(found.values)
        errors[id(weight.variable)] = found.error
        task.advance(1, f"{weight.layer}/{weight.name}: {found.error:.1%} off")
    return errors


def _told_of_zeros(weights: Sequence[PrunableWeight], options: ClusteringOptions) -> list[str]:
    """Says how many zeros are kept."""
    zeros = sum(weight.zeros() for weight in weights) if options.keep_zeros else 0
    share = zeros / sum(weight.size for weight in weights)
    return [f"{share:.1%} of the clustered weights were zero, and stay so"] if zeros else []


def _checked_epochs(epochs: Any) -> int:
    """Returns the epochs; raises `ConfigError` unless they are a whole number from 0."""
    if isinstance(epochs, bool) or not hasattr(epochs, "__index__") or epochs < 0:
        raise ConfigError(
            f"epochs={epochs!r} must be a whole number of at least 0 (how often to go through the training "
            "images; 0: not at all)."
        )
    return int(epochs)
