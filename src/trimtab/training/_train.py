"""`train`: compile, fit, validate, keep the best epoch, and be able to continue after a kill."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import weakref
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from trimtab._version import __version__
from trimtab.data import batches
from trimtab.errors import ConfigError, DataError
from trimtab.models import check_fits
from trimtab.progress import Progress, Silent, Task
from trimtab.training._batch_normalization import fused_batch_normalization, on_tensorflow_cpu
from trimtab.training._callback import Bookkeeper
from trimtab.training._checkpoint import (
    Checkpoint,
    architecture_digest,
    config_digest,
    weights_digest,
)
from trimtab.training._history import History
from trimtab.training._losses import crossentropy, gives_logits
from trimtab.training._objective import Objective
from trimtab.training._optimizers import new_optimizer, plain_optimizer
from trimtab.training._sample_weights import checked_weights
from trimtab.training._seeding import own_random_state
from trimtab.training._settings import Settings
from trimtab.training._state import TrainingState
from trimtab.training._trainable import Learning, learning_layers

if TYPE_CHECKING:
    import numpy as np

    from trimtab.data import Augmentation, ImageData

__all__ = ["TrainingResult", "check_data", "train"]

_PROBED = 4  # images to look at the outputs of a model with

# For a model whose checkpoint stayed, in this process: the digest of its weights when `train` left it, and
# that of those it began from. It lets the very same object go on after Ctrl-C.
_left: MutableMapping[Any, tuple[str, str]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class TrainingResult:
    """What a training gave.

    Args:
        model: the model that was trained (the very object that was given), an ordinary Keras model.
        history: every epoch, as data.
        notes: plain sentences about what was done that nobody asked for by name.
    """

    model: Any = field(metadata={"record": False}, repr=False)
    history: History
    notes: tuple[str, ...] = ()


def train(
    model: Any,
    data: ImageData,
    *,
    epochs: int = 10,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    schedule: str = "cosine",
    weight_decay: float = 0.0,
    label_smoothing: float = 0.0,
    patience: int | None = None,
    restore_best: bool = True,
    first_best_epoch: int = 1,
    augmentation: Augmentation | None = None,
    from_logits: bool | None = None,
    trainable: str | int | Sequence[str] = "all",
    seed: int = 0,
    sample_weight: np.ndarray | None = None,
    wrap_optimizer: Callable[[Any], Any] | None = None,
    callbacks: Sequence[Any] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    keep_checkpoint: bool = False,
    progress: Progress | None = None,
    label: str = "train",
    objective: Objective | None = None,
) -> TrainingResult:
    """Trains a Keras model on images, in place, and keeps the epoch that validates best.

    The validation images pick the epoch: the highest accuracy, and between equals the lowest loss. The
    test images are never looked at. On a CPU, the same seed, model, data and machine give the same weights.

    On a CPU with TensorFlow the steps run without XLA, and batch normalisation through TensorFlow's fused
    kernel; afterwards the layers are as they were. The model is compiled anew, and left compiled with
    plain Keras parts only (a fresh optimizer of the same kind at the constant `learning_rate`,
    cross-entropy, accuracy), so that it evaluates, saves and loads anywhere.

    Example::

        data = trimtab.load_data("digits")
        model = trimtab.zoo.cnn(data.image_shape, data.classes)
        result = trimtab.train(model, data, epochs=3)
        print(result.history.best.val_accuracy)

    Args:
        model: a built model with one image input and one output of (batch, classes): logits or softmax.
        data: the images; `data.train` is learned, `data.validation` judges.
        epochs: passes over the training images.
        batch_size: images in one step.
        optimizer: "adam", "adamw" or "sgd" (Nesterov momentum 0.9).
        learning_rate: the rate of the first step.
        schedule: "cosine" (to zero over all steps) or "constant".
        weight_decay: decoupled decay of the kernels (Loshchilov & Hutter 2017); biases and
            normalisation are left alone.
        label_smoothing: share of each label spread over all classes, 0 to 1; also in the losses shown.
        patience: stop after so many epochs without a better one; None: never.
        restore_best: end with the weights of the best epoch, not of the last.
        first_best_epoch: epochs before this one cannot be the best, and are not counted by `patience`.
        augmentation: random changes to the training images; None: none.
        from_logits: whether the model gives logits; None: look at its last layers, and at what it gives.
        trainable: which layers learn. "all": as the model's own flags say. "head": the classifier alone, the
            layers after the last feature maps. A number: so many layers with weights before the head, and
            the head. Names, also of nested models or as ``"conv5_*"``: these, and the head. All others stand
            still, batch normalisation too; the flags are as they were afterwards.
        seed: decides the order of the images, their augmentation and dropout.
        sample_weight: (n,), how much each training image counts in the loss: numbers of 0 or more, 1 being
            usual (a step's loss is the mean of weight times loss). Validation counts each image once.
        wrap_optimizer: makes an optimizer around the one asked for; its variables are in the checkpoint too.
        callbacks: Keras callbacks. Their own state is not in the checkpoint.
        checkpoint: file (`.npz`) that keeps the state after each epoch. Where it exists, training continues
            there, and on a CPU ends with bit for bit the weights of an unbroken one. It belongs to these
            arguments, data and starting weights: give the model as it was before the training, or, after
            Ctrl-C in the same process, the very same object. Removed on success.
        keep_checkpoint: leave the checkpoint of a finished training in place. A later call with the same
            arguments then gives the finished result at once; delete the file once the model is saved.
        progress: where progress is shown; None: nowhere.
        label: what progress calls this training.
        objective: what to learn beside the labels, as `trimtab.distill` makes it; None: the labels alone.

    Returns:
        The model, the history and the notes.

    Raises:
        ConfigError: an argument has a value that makes no sense.
        DataError: there are no training or no validation images.
        ModelError: the model does not fit the data or what `from_logits` says, or the loss stopped being a
            number.
        RunError: the checkpoint belongs to another training, or cannot be read.
        OutputError: the checkpoint cannot be written.
    """
    settings = Settings(
        epochs, batch_size, optimizer, learning_rate, schedule, weight_decay, label_smoothing,
        patience, restore_best, first_best_epoch, augmentation, seed, trainable,
    )  # fmt: skip
    check_fits(model, data)
    check_data(data)
    weighted = checked_weights(sample_weight, len(data.train))
    logits = gives_logits(model, from_logits, data.train.inputs(0, _PROBED))
    plain = Objective(model, crossentropy(logits, settings.label_smoothing), _accuracy)
    aim = (objective or plain).weighted(weighted)
    # Taken before the optimizer is built: one that prunes sets weights to zero as it is.
    weights = "" if checkpoint is None else weights_digest(model)
    learning = learning_layers(model, settings.trainable)
    notes = [*_compile_notes(model), *([learning.note] if learning.note else [])]
    state = TrainingState()
    inner = new_optimizer(settings, settings.epochs * _steps(data.train, settings))
    outer = inner if wrap_optimizer is None else wrap_optimizer(inner)
    with own_random_state(), _compiled(model, aim, outer, settings, logits, learning):
        keeper = None
        if checkpoint is not None:
            keeper = _checkpoint(Path(checkpoint), model, aim, data, settings, logits, inner, weights)
            notes += [note for note in [keeper.restore(state)] if note]
        done = state.done
        with (
            _remembered(model, keeper, keep_checkpoint),
            (progress or Silent()).task(
                label, settings.epochs * _steps(data.train, settings), "batches"
            ) as task,
        ):
            books = Bookkeeper(settings, state, inner, keeper, task)
            _fit(aim, data, settings, state, [*callbacks, books], task)
            _close(settings, state, keeper if state.done > done else None, keep_checkpoint)
            notes += _finish(aim.learner, state)
        if keeper is not None and not keep_checkpoint:
            keeper.remove()
    return TrainingResult(model, state.history(), tuple(notes))


def _steps(split: Any, settings: Settings) -> int:
    """Returns the batches in one pass over the images."""
    return math.ceil(len(split) / settings.batch_size)


def check_data(data: ImageData) -> None:
    """Raises `DataError` for data that cannot teach, or cannot judge."""
    for name in ("train", "validation"):
        if not len(getattr(data, name)):
            raise DataError(
                f"{data.name} has no {name} images; training needs some to learn from and some to pick the "
                "best epoch by. Load it with validation=0.1, or add images."
            )


def _compile_notes(model: Any) -> list[str]:
    """Returns what is lost by compiling the model anew, where that is anything."""
    optimizer = getattr(model, "optimizer", None)
    if not model.compiled or optimizer is None or not int(optimizer.iterations):
        return []
    return [f"the model's own optimizer ({type(optimizer).__name__}) and its state were replaced"]


@contextlib.contextmanager
def _compiled(
    model: Any,
    aim: Objective,
    optimizer: Any,
    settings: Settings,
    logits: bool,
    learning: Learning,
) -> Iterator[None]:
    """Compiles the learner for this training, and the model afterwards, whatever happened, with plain parts.

    Compiling drops the functions that Keras traced, and with them the last trace of the fused kernels.
    """
    jit = False if on_tensorflow_cpu() else "auto"
    try:
        with learning.applied(model), fused_batch_normalization(model):
            learner = aim.learner
            learner.compile(optimizer, aim.loss, metrics=[aim.accuracy()], jit_compile=jit)
            # Built here and not in the first step, so that a checkpoint has variables to go to.
            learner.optimizer.build(learner.trainable_variables)
            yield
    finally:
        model.compile(plain_optimizer(settings), crossentropy(logits), metrics=[_accuracy()], jit_compile=jit)
        # A file with an optimizer that was never built does not load without a warning.
        model.optimizer.build(model.trainable_variables)


def _accuracy() -> Any:
    """Returns the metric called "accuracy"."""
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


@contextlib.contextmanager
def _remembered(model: Any, keeper: Checkpoint | None, kept: bool) -> Iterator[None]:
    """Remembers what a model began from, where the checkpoint outlives the block."""
    finished = False
    try:
        yield
        finished = True
    finally:
        if keeper is not None and (kept or not finished):
            # On JAX, what is stopped within a step may leave no weights that could be read.
            with contextlib.suppress(Exception):
                _left[model] = weights_digest(model), str(keeper.belongs_to["starting weights"])


def _checkpoint(
    path: Path,
    model: Any,
    aim: Objective,
    data: ImageData,
    settings: Settings,
    logits: bool,
    inner: Any,
    weights: str,
) -> Checkpoint:
    """Returns the checkpoint of this training, over the variables of the compiled learner."""
    if os.path.isdir(path):  # noqa: PTH112 - `Path.is_dir` raises for a name that is too long
        raise ConfigError(
            f"checkpoint={str(path)!r} is a folder; it must name a file, such as 'training.npz'."
        )
    arguments, learner = dataclasses.asdict(settings), aim.learner
    belongs_to = {
        **{name: repr(value) for name, value in arguments.items()},
        "from_logits": logits,
        "data": data.digest,
        "architecture": architecture_digest(model),
        "starting weights": weights,
        "wrapped optimizer": config_digest(
            [type(learner.optimizer).__name__, learner.optimizer.get_config()]
        ),
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "trimtab": __version__,
        **aim.belongs_to,
    }
    optimizers = {id(variable): variable for variable in [*learner.optimizer.variables, *inner.variables]}
    left, began = _left.get(model, ("", ""))
    return Checkpoint(
        path,
        belongs_to,
        learner.variables,
        learner.weights,
        list(optimizers.values()),
        began if left == weights else "",
    )


def _fit(
    aim: Objective,
    data: ImageData,
    settings: Settings,
    state: TrainingState,
    callbacks: list[Any],
    task: Task,
) -> None:
    """Runs the epochs that are left, as one call of Keras' own loop."""
    steps, done = _steps(data.train, settings), state.done
    if done:
        task.advance(done * steps, f"continued after epoch {done}")
    if state.stopped or done >= settings.epochs:
        return
    aim.learner.fit(
        batches(
            data.train,
            settings.batch_size,
            seed=settings.seed,
            epochs=settings.epochs - done,
            first_epoch=done,
            augmentation=settings.augmentation,
            views=aim.views,
            targets=aim.targets(),
            sample_weight=aim.sample_weight,
            draws=aim.draws,
        ),
        steps_per_epoch=steps,
        initial_epoch=done,
        epochs=settings.epochs,
        validation_data=batches(data.validation, settings.batch_size),
        validation_steps=_steps(data.validation, settings),
        callbacks=callbacks,
        verbose=0,
        shuffle=False,
    )


def _close(settings: Settings, state: TrainingState, keeper: Checkpoint | None, keep: bool) -> None:
    """Notes that a callback ended the training, and writes the finished state where it is to be kept."""
    if not state.stopped and state.done < settings.epochs:
        state.stopped = f"a callback stopped training after epoch {state.done} of {settings.epochs}"
    if keeper is not None and keep:
        # Once more: callbacks may change weights when training ends, after the last epoch's checkpoint.
        keeper.write(state)


def _finish(learner: Any, state: TrainingState) -> list[str]:
    """Puts the best weights back, and returns what there is to say about the end."""
    notes = [state.stopped] if state.stopped else []
    if state.best_weights is not None and state.best_epoch != state.done:
        for weight, value in zip(learner.weights, state.best_weights, strict=True):
            weight.assign(value)
        best = state.epochs[state.best_epoch - 1]
        notes.append(
            f"the weights are those of epoch {best.epoch} of {state.done} "
            f"(validation accuracy {best.val_accuracy:.4f})"
        )
    return notes
