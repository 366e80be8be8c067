"""What happened in each epoch, as plain data that survives a CSV file unchanged."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from trimtab._atomic import write_text
from trimtab.errors import RunError

__all__ = ["Epoch", "History"]

_BEST = "best"


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images, and what the validation images said after it.

    Args:
        epoch: number of the epoch, from 1.
        loss: mean training loss, as the weights changed.
        accuracy: share of training images classified rightly, 0 to 1, as the weights changed.
        val_loss: loss on the validation images after the epoch.
        val_accuracy: share of validation images classified rightly after the epoch, 0 to 1.
        learning_rate: learning rate of the epoch's first step.
        seconds: wall time of the epoch, training and validation (without writing a checkpoint).
        validation_seconds: the part of `seconds` that validation took.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float
    validation_seconds: float = 0.0


@dataclass(frozen=True)
class History:
    """All epochs of one training.

    Args:
        epochs: the epochs in order.
        best_epoch: number of the epoch with the highest validation accuracy (the lower validation
            loss decides between equals), from 1; 0 where there is no epoch.
        seconds: wall time of all epochs together, over all processes that had a part in them.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    seconds: float

    @classmethod
    def of(cls, epochs: Iterable[Epoch], best_epoch: int) -> Self:
        """Returns the history of these epochs, their seconds added up."""
        epochs = tuple(epochs)
        return cls(epochs, best_epoch, math.fsum(epoch.seconds for epoch in epochs))

    @property
    def best(self) -> Epoch:
        """The best epoch; raises `IndexError` where there is no epoch."""
        return next(
            (epoch for epoch in self.epochs if epoch.epoch == self.best_epoch),
            self.epochs[-1],
        )

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes one row an epoch, whole or not at all; `read_csv` gives the same history back.

        Raises:
            OutputError: the file cannot be written.
        """
        text = io.StringIO()
        names = [field.name for field in dataclasses.fields(Epoch)]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*names, _BEST])
        for epoch in self.epochs:
            values = [repr(getattr(epoch, name)) for name in names]
            writer.writerow([*values, int(epoch.epoch == self.best_epoch)])
        write_text(path, text.getvalue())

    @classmethod
    def read_csv(cls, path: str | os.PathLike[str]) -> Self:
        """Reads what `write_csv` wrote.

        Raises:
            RunError: the file is missing or is no training history.
        """
        try:
            with Path(path).open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            epochs = [_epoch_of(row) for row in rows]
            best = [epoch.epoch for epoch, row in zip(epochs, rows, strict=True) if row[_BEST] == "1"]
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror or error}.") from error
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise RunError(
                f"{path} is no training history ({error}); it needs one row an epoch as "
                "History.write_csv writes it. Train again, or name another file."
            ) from error
        return cls.of(epochs, best[0] if best else 0)


def _epoch_of(row: dict[str, str]) -> Epoch:
    """Returns the epoch that a row of a CSV file tells of."""
    fields = dataclasses.fields(Epoch)
    number, *names = (field.name for field in fields)
    return Epoch(int(row[number]), *(float(row[name]) for name in names))
