"""The callback that keeps a training's books: time, history, best weights, checkpoint, progress."""

from __future__ import annotations

import math
import time
from typing import Any

import keras

from trimtab.errors import ModelError
from trimtab.progress import Task
from trimtab.training._checkpoint import Checkpoint
from trimtab.training._history import Epoch
from trimtab.training._seeding import reseed
from trimtab.training._settings import Settings
from trimtab.training._state import TrainingState

__all__ = ["Bookkeeper"]


class Bookkeeper(keras.callbacks.Callback):
    """Records each epoch in the state, keeps the best weights, stops early, writes the checkpoint.

    It must come after the user's callbacks, so that the checkpoint holds what they changed.

    Args:
        settings: the training's arguments.
        state: where the epochs go.
        optimizer: the innermost optimizer, whose learning rate is recorded.
        checkpoint: where the state is kept, or None.
        task: shows progress, counted in batches.
    """

    def __init__(
        self,
        settings: Settings,
        state: TrainingState,
        optimizer: Any,
        checkpoint: Checkpoint | None,
        task: Task,
    ) -> None:
        super().__init__()
        self._settings, self._state, self._optimizer = settings, state, optimizer
        self._checkpoint, self._task = checkpoint, task
        self._began = self._validation_began = self._validation_seconds = 0.0
        self._rate, self._epoch = 0.0, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Starts the clock of the epoch."""
        self._epoch = epoch
        self._rate = float(self._optimizer.learning_rate)
        self._validation_seconds = 0.0
        self._began = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Moves the progress by the batch before this one; before the first, seeds the random layers.

        Earlier is too early: a new torch data loader, as a continued training makes one, draws from the
        generator that dropout draws from. And the hook at a batch's end would make Keras fetch the metrics,
        and so wait, after every step.
        """
        if batch:
            self._task.advance(1)
        else:
            reseed(self.model, self._settings.seed, self._epoch)

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Starts the clock of the validation."""
        self._validation_began = time.perf_counter()

    def on_test_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Stops the clock of the validation."""
        self._validation_seconds += time.perf_counter() - self._validation_began

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Records the epoch.

        Raises:
            ModelError: the loss is not a number any more.
            OutputError: the checkpoint cannot be written.
        """
        seconds = time.perf_counter() - self._began
        # On JAX, asking for the model is what brings the weights back from the jitted steps.
        model, logs = self.model, logs or {}
        record = Epoch(
            epoch=epoch + 1,
            **{name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")},
            learning_rate=self._rate,
            seconds=seconds,
            validation_seconds=self._validation_seconds,
        )
        self._refuse_divergence(record)
        self._state.add(record, model.weights, self._settings)
        if self._state.stopped:
            model.stop_training = True
        if self._checkpoint is not None:
            self._checkpoint.write(self._state)
        note = f"epoch {record.epoch}/{self._settings.epochs}, validation accuracy {record.val_accuracy:.4f}"
        self._task.advance(1, note + (", stopped early" if self._state.stopped else ""))

    def _refuse_divergence(self, epoch: Epoch) -> None:
        """Raises `ModelError` where a loss is NaN or infinite, with what to do about it."""
        bad = [name for name in ("loss", "val_loss") if not math.isfinite(getattr(epoch, name))]
        if not bad:
            return
        if self._checkpoint is not None:
            # From there the same steps would lead here again; gone, it is in nobody's way.
            self._checkpoint.remove()
        settings = self._settings
        raise ModelError(
            f"training diverged in epoch {epoch.epoch}: {bad[0]} is {getattr(epoch, bad[0])} with "
            f"{settings.optimizer} at learning_rate={settings.learning_rate:g}. Try "
            f"learning_rate={settings.learning_rate / 10:g}, and check that the images hold no NaN."
        )
