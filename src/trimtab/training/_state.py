"""What a training knows besides the model: its history so far, and which epoch was the best."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trimtab.training._history import Epoch, History
from trimtab.training._settings import Settings

__all__ = ["TrainingState"]


@dataclass
class TrainingState:
    """The part of a training that its checkpoint keeps beside the variables.

    Args:
        epochs: the epochs done so far.
        best_epoch: number of the best epoch; 0 while there is none.
        best_weights: the model's weights after it; None where they are not wanted.
        waited: epochs that may be the best and were not, since the best one.
        stopped: the sentence that says why training ended before its last epoch, or an empty string.
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: list[Any] | None = None
    waited: int = 0
    stopped: str = ""

    @property
    def done(self) -> int:
        """How many epochs are done."""
        return len(self.epochs)

    def add(self, epoch: Epoch, weights: list[Any], settings: Settings) -> None:
        """Takes in an epoch: is it the best one, and is it time to stop?

        The higher validation accuracy is better; between equals the lower validation loss decides.

        Args:
            epoch: the epoch that ended.
            weights: the model's weight variables, read only if they are to be kept.
            settings: the training's arguments.
        """
        self.epochs.append(epoch)
        if epoch.epoch < settings.first_best_epoch:
            return
        if not self.best_epoch or _rank(epoch) > _rank(self.epochs[self.best_epoch - 1]):
            self.best_epoch, self.waited = epoch.epoch, 0
            if settings.restore_best:
                self.best_weights = [np.array(np.asarray(weight)) for weight in weights]
            return
        self.waited += 1
        if settings.patience and self.waited >= settings.patience and epoch.epoch < settings.epochs:
            best = self.epochs[self.best_epoch - 1]
            self.stopped = (
                f"stopped after epoch {epoch.epoch} of {settings.epochs}: validation had not improved for "
                f"{self.waited} epochs (best: epoch {best.epoch}, accuracy {best.val_accuracy:.4f})"
            )

    def history(self) -> History:
        """Returns the epochs so far; the last one counts as best where none was a candidate."""
        return History.of(self.epochs, self.best_epoch or self.done)

    def to_plain(self) -> dict[str, Any]:
        """Returns everything but the weights as plain data."""
        plain = {name: getattr(self, name) for name in ("best_epoch", "waited", "stopped")}
        return {**plain, "epochs": [dataclasses.asdict(epoch) for epoch in self.epochs]}

    @classmethod
    def of_plain(cls, plain: dict[str, Any], best_weights: list[Any] | None) -> TrainingState:
        """Returns the state that `to_plain` told of, with the weights beside it."""
        return cls(
            epochs=[Epoch(**row) for row in plain["epochs"]],
            best_epoch=int(plain["best_epoch"]),
            best_weights=best_weights,
            waited=int(plain["waited"]),
            stopped=str(plain["stopped"]),
        )

    def become(self, other: TrainingState) -> None:
        """Takes over, in place, all that another state holds."""
        vars(self).update(vars(other))


def _rank(epoch: Epoch) -> tuple[float, float]:
    """Returns what makes an epoch better than another; a loss that is no number is the worst."""
    loss = epoch.val_loss
    return epoch.val_accuracy, -loss if math.isfinite(loss) else -math.inf
