"""What workers do for the search: the facts of a network, its training, a teacher's answers, a finished file.

Each function takes plain arguments and a `Context`, and returns a plain record; models go in and out as
files.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab._quiet import import_backend
from trimtab.compression._candidate import Candidate
from trimtab.compression._travelling_data import ARRAYS, arrived

if TYPE_CHECKING:
    from trimtab.data import ImageData
    from trimtab.workers import Context

__all__ = ["answer", "judge", "probe", "train_leg"]

MODEL, FILE, HISTORY = "model.keras", "model.tflite", "history.csv"
CHECKPOINT = "training.npz"


def probe(arguments: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Finds out what the file of a network costs: builds it, and converts it with the weights that it has.

    Args:
        arguments: ``candidate``, ``image_shape``, ``classes``; for the baseline and its like ``data`` too.
        context: a file ``baseline`` where the candidate comes from it.

    Returns:
        ``facts``; the file lies in ``out/model.tflite``, and a start other than fresh weights in
        ``out/model.keras``.
    """
    import_backend()
    from trimtab import models
    from trimtab.benchmarking._probe_file import probe_file, roughen
    from trimtab.compression._building import built
    from trimtab.compression._facts import counted, facts_of

    candidate = Candidate.of_plain(arguments["candidate"])
    model, fresh = built(candidate, arguments, context)
    if not fresh:
        models.save_model(model, context.out / MODEL)
        model = models.clone(model)
    kernels, channels = counted(model)
    content = probe_file(roughen(model), tuple(arguments["image_shape"]))
    (context.out / FILE).write_bytes(content)
    return {"facts": facts_of(model, content).to_plain(), "kernels": kernels, "channels": channels}


def train_leg(arguments: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Trains a candidate for some epochs, from its own weights where it has some already.

    Args:
        arguments: ``candidate``, ``epochs``, ``share`` (of the training images), ``batch_size``, ``seed``,
            ``data``, ``image_shape``, ``classes``; ``answers`` names shared logits, or is None, and
            ``answers_seed`` is that of `answer`.
        context: a file ``start`` where the candidate was trained before (or begins from another model).

    Returns:
        ``epochs`` (done), ``val_accuracy`` (of the best one), ``curve``, ``seconds_per_epoch``. The model
        lies in ``out/model.keras``.
    """
    import_backend()
    from trimtab import models
    from trimtab.compression._building import built
    from trimtab.training import train

    candidate = Candidate.of_plain(arguments["candidate"])
    data, chosen = arrived(arguments["data"], context.shared, float(arguments["share"]))
    began = time.perf_counter()
    model, _ = built(candidate, arguments, context)
    trained = train(
        model,
        data,
        objective=_objective(model, candidate, arguments, context, data, chosen),
        epochs=int(arguments["epochs"]),
        batch_size=int(arguments["batch_size"]),
        learning_rate=candidate.lesson.learning_rate,
        augmentation=_augmentation(candidate, data),
        seed=int(arguments["seed"]),
        callbacks=[_reporter(context, int(arguments["epochs"]))],
        checkpoint=context.folder / CHECKPOINT,
        keep_checkpoint=True,
    )
    models.save_model(model, context.out / MODEL)
    trained.history.write_csv(context.out / HISTORY)
    (context.folder / CHECKPOINT).unlink(missing_ok=True)
    epochs = trained.history.epochs
    later = [epoch.seconds for epoch in epochs[1:]] or [epochs[0].seconds]
    return {
        "epochs": len(epochs),
        "val_accuracy": trained.history.best.val_accuracy,
        "curve": [epoch.val_accuracy for epoch in epochs],
        "seconds_per_epoch": float(np.median(later)) / float(arguments["share"]),
        "seconds": time.perf_counter() - began,
        "best_epoch": trained.history.best_epoch,
    }


def answer(arguments: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Asks a teacher about all training images, in one view.

    Args:
        arguments: ``data``, ``augmentation``, ``view``, ``seed``.
        context: a file ``teacher``.

    Returns:
        Nothing to tell; the logits (n, classes) float32 lie in ``out/logits.npy``.
    """
    import_backend()
    from trimtab import models
    from trimtab.distillation import cached_logits

    data, _ = arrived(arguments["data"], context.shared)
    logits = cached_logits(
        models.load_model(context.files["teacher"]),
        data,
        augmentation=augmentation_of(arguments["augmentation"], data.image_shape),
        view=int(arguments["view"]),
        seed=int(arguments["seed"]),
    )
    np.save(context.out / "logits.npy", logits)
    return {}


def judge(arguments: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Says how often a model is right on the validation images.

    Args:
        arguments: ``data``.
        context: a file ``model``.

    Returns:
        ``val_accuracy``.
    """
    import_backend()
    from trimtab import models

    data, _ = arrived(arguments["data"], context.shared)
    return {"val_accuracy": accuracy_of(models.load_model(context.files["model"]), data)}


def accuracy_of(model: Any, data: ImageData) -> float:
    """Returns the share of the validation images that a model classifies rightly."""
    from trimtab.litert._signature import predict

    split = data.validation
    right = 0
    for start in range(0, len(split), 1024):
        scores = predict(model, split.inputs(start, start + 1024))
        right += int((scores.argmax(axis=1) == split.labels[start : start + 1024]).sum())
    return right / max(len(split), 1)


def file_accuracy(content: bytes, data: ImageData) -> float:
    """Returns the share of the validation images that a file classifies rightly."""
    from trimtab.litert import LiteRTModel

    model, split = LiteRTModel(content), data.validation
    right = 0
    for start in range(0, len(split), 1024):
        scores = model(split.inputs(start, start + 1024))
        right += int((scores.argmax(axis=1) == split.labels[start : start + 1024]).sum())
    return right / max(len(split), 1)


def augmentation_of(word: str, image_shape: tuple[int, int, int]) -> Any:
    """Returns the augmentation that a lesson's word stands for, measured by the size of the images."""
    from trimtab.data import Augmentation

    side = min(image_shape[:2])
    tenth = max(round(side / 10), 1)
    return {
        "none": None,
        "flip": Augmentation(flip=True),
        "shift": Augmentation(shift=tenth),
        "all": Augmentation(flip=True, shift=tenth, cutout=max(round(side / 4), 1)),
    }[word]


def _augmentation(candidate: Candidate, data: ImageData) -> Any:
    """Returns the augmentation of a candidate's training."""
    return augmentation_of(candidate.lesson.augmentation, data.image_shape)


def _objective(
    model: Any,
    candidate: Candidate,
    arguments: Mapping[str, Any],
    context: Context,
    data: ImageData,
    chosen: np.ndarray[Any, Any] | None,
) -> Any:
    """Returns what is learnt beside the labels; None without a teacher."""
    from trimtab.data._batches import Draws
    from trimtab.distillation._given_logits import given_logits

    name = arguments.get("answers")
    if name is None:
        return None
    logits = context.shared[name]
    draws = Draws(int(arguments["answers_seed"]), logits.shape[1], chosen)
    if chosen is not None:
        logits = np.ascontiguousarray(logits[:, chosen])
    lesson = candidate.lesson
    return given_logits(
        model,
        logits,
        data,
        temperature=lesson.temperature,
        alpha=lesson.alpha,
        draws=draws,
        name=f"{name} {len(data.train)}",
    )


def _reporter(context: Context, epochs: int) -> Any:
    """Returns the callback that tells of each epoch, and ends the training when it is cancelled."""
    import keras

    class Reporter(keras.callbacks.Callback):
        """Reports epochs."""

        looked = 0.0

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            """Looks twice a second whether the training is to end."""
            if time.perf_counter() - self.looked > 0.5:
                self.looked = time.perf_counter()
                if context.stopped():
                    self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            """Tells of one epoch."""
            accuracy = (logs or {}).get("val_accuracy")
            context.report({"epoch": epoch + 1, "epochs": epochs, "val_accuracy": accuracy})
            if context.stopped():
                self.model.stop_training = True

    return Reporter()


SHARED = ARRAYS
"""The arrays that each job with ``data`` names."""


def read_logits(path: Path) -> np.ndarray[Any, Any]:
    """Reads what `answer` wrote."""
    return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
