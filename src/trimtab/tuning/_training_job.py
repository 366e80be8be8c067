"""One trial's training, as a job: on this machine or another."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from trimtab.data import ImageData, Split
from trimtab.models import macs, parameters, save_model
from trimtab.training import train
from trimtab.tuning._dimension import frozen
from trimtab.tuning._setting import Setting

if TYPE_CHECKING:
    from trimtab.workers import Context, Workers

__all__ = ["data_arguments", "share_images", "train_setting"]

_PARTS = ("train", "validation")


class _Stopped(Exception):  # noqa: N818 - no error: the driver wants no more of it
    """Leaves a training between two epochs; its checkpoint stays."""


class _Teller(keras.callbacks.Callback):
    """Tells the driver of each epoch, and leaves the training when it wants no more."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Leaves here, where the checkpoint of the last epoch is written."""
        if self._context.stopped():
            raise _Stopped

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Reports the epoch, unless it diverged: training says that itself."""
        accuracy, loss = (float((logs or {})[name]) for name in ("val_accuracy", "val_loss"))
        if math.isfinite(loss):
            self._context.report({"epoch": epoch + 1, "val_accuracy": accuracy, "val_loss": loss})


def train_setting(arguments: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Builds and trains the network of one setting; leaves its best epoch and its history as files.

    Args:
        arguments: ``values``: the setting; ``seed``; ``data``: what `data_arguments` said.
        context: the job's; its shared arrays are those that `share_images` shared.

    Returns:
        What there is to know of the trial; ``stopped`` where the driver ended it before its time.
    """
    gc.collect()  # the network of the trial before
    data = _images(arguments["data"], context.shared)
    setting = Setting.of({name: frozen(value) for name, value in arguments["values"].items()})
    model = setting.build(data, arguments["seed"])
    facts = {"parameters": parameters(model), "macs": macs(model)}
    context.report(facts)
    try:
        result = train(
            model,
            data,
            **setting.train_arguments(),
            seed=arguments["seed"],
            callbacks=[_Teller(context)],
            checkpoint=context.folder / "checkpoint.npz",
            keep_checkpoint=True,  # until what the job gave is kept elsewhere
        )
    except _Stopped:
        return {**facts, "stopped": True}
    save_model(result.model, context.out / "model.keras")
    result.history.write_csv(context.out / "history.csv")
    best = result.history.best
    return {
        **facts,
        "stopped": False,
        "val_accuracy": best.val_accuracy,
        "val_loss": best.val_loss,
        "best_epoch": best.epoch,
        "epochs": len(result.history.epochs),
        "curve": [epoch.val_accuracy for epoch in result.history.epochs],
        "training_seconds": result.history.seconds,
    }


def share_images(workers: Workers, data: ImageData) -> tuple[str, ...]:
    """Gives all workers the images that a trial needs, and returns their names. The test images stay here."""
    names = []
    for part in _PARTS:
        split = getattr(data, part)
        for kind, array in (("images", split.images), ("labels", split.labels)):
            workers.share(f"{part}-{kind}", array)
            names.append(f"{part}-{kind}")
    return tuple(names)


def data_arguments(data: ImageData) -> dict[str, Any]:
    """Returns what there is to know of the images beside the pixels, as plain data."""
    split = data.train
    return {
        "name": data.name,
        "class_names": list(data.class_names),
        "digest": data.digest,
        "input_range": list(split.input_range),
        "size": None if split.size is None else list(split.size),
    }


def _images(told: Mapping[str, Any], shared: Mapping[str, np.ndarray]) -> ImageData:
    """Puts the images together again; of the test images there are none."""
    low, high = told["input_range"]
    size = None if told["size"] is None else (told["size"][0], told["size"][1])
    parts = {
        part: Split(shared[f"{part}-images"], shared[f"{part}-labels"], (low, high), size) for part in _PARTS
    }
    return ImageData(
        told["name"],
        **parts,
        test=parts["train"].take(slice(0, 0)),
        class_names=tuple(told["class_names"]),
        origin="shared by the driver",
        digest=told["digest"],
    )
