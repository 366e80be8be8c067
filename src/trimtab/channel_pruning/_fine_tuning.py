"""The training that goes along with channel pruning: by the labels, or with a teacher beside them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.pruning._iterative import round_checkpoint
from trimtab.training import History, train

if TYPE_CHECKING:
    import keras

    from trimtab.data import ImageData

__all__ = ["FineTuning", "Phase", "kept_answers"]


@dataclass(frozen=True)
class Phase:
    """One training among those of a channel pruning.

    Args:
        number: the round that it belongs to; 0: the sparsity learning before them.
        epochs: passes over the training images.
        label: what progress calls it.
        wrap: makes an optimizer around the usual one.
        to_the_end: end with the weights of the last epoch and not of the best, and never stop early.
        last: whether no other training follows.
    """

    number: int
    epochs: int
    label: str
    wrap: Callable[[Any], Any] | None = None
    to_the_end: bool = False
    last: bool = False


@dataclass(frozen=True, eq=False)
class FineTuning:
    """How the model is trained, in each phase alike.

    Args:
        data: the images.
        options: arguments of `trimtab.train`, without `epochs`, `seed` and where it keeps its state.
        teacher: the model to learn from beside the labels; None: the labels alone.
        teaching: arguments of `trimtab.distill` besides.
        from_logits: what the model gives; None: look at it.
        seed: decides what is random; each phase has a seed of its own.
        checkpoint: file that keeps the state of the phase under way. A finished phase has a file of its own
            beside it, until all is done.
        keep_checkpoint: leave the files in place when all is done.
        answers: folder that keeps what the teacher says of the images; None: each phase asks it.
    """

    data: ImageData
    options: dict[str, Any]
    teacher: keras.Model | None = None
    teaching: dict[str, Any] = field(default_factory=dict)
    from_logits: bool | None = None
    seed: int = 0
    checkpoint: Path | None = None
    keep_checkpoint: bool = False
    answers: Path | None = None

    def train(self, model: keras.Model, phase: Phase) -> tuple[History, tuple[str, ...]]:
        """Trains a model in place, or takes up what is left of a training that was begun before.

        A finished phase leaves its state on disk. After a kill the same call goes through the finished phases
        again without training, and so comes to the point where it was.

        Returns:
            The history of this phase, and notes.
        """
        if self.checkpoint is None or phase.last:
            return self._trained(model, phase, self.checkpoint, self.keep_checkpoint)
        finished = round_checkpoint(self.checkpoint, phase.number)
        if finished.is_file():
            return self._trained(model, phase, finished, True)
        trained = self._trained(model, phase, self.checkpoint, True)
        self.checkpoint.replace(finished)
        return trained

    def forget(self, rounds: int) -> None:
        """Removes the files of finished phases, once all is done."""
        if self.checkpoint is not None and not self.keep_checkpoint:
            for number in range(rounds + 1):
                round_checkpoint(self.checkpoint, number).unlink(missing_ok=True)
            if self.answers is not None:
                shutil.rmtree(self.answers, ignore_errors=True)

    def _trained(
        self, model: keras.Model, phase: Phase, checkpoint: Path | None, keep: bool
    ) -> tuple[History, tuple[str, ...]]:
        """Trains a model in place."""
        options = {
            **self.options,
            **({"restore_best": False, "patience": None} if phase.to_the_end else {}),
            "epochs": phase.epochs,
            "from_logits": self.from_logits,
            "seed": seed_of_phase(self.seed, phase.number),
            "wrap_optimizer": phase.wrap,
            "checkpoint": checkpoint,
            "keep_checkpoint": keep,
            "label": phase.label,
        }
        if self.teacher is None:
            trained: Any = train(model, self.data, **options)
        else:
            from trimtab.distillation import distill

            options |= {**self.teaching, "cache_folder": self.answers}
            trained = distill(model, self.teacher, self.data, **options)
        return trained.history, trained.notes


@contextlib.contextmanager
def kept_answers(checkpoint: Path | None, several: bool) -> Iterator[Path | None]:
    """Gives a folder where a teacher's answers are kept, so that it is asked about the same images once.

    Args:
        checkpoint: the folder lies beside it, and outlives the block: `FineTuning.forget` removes it.
        several: whether several trainings show the teacher the same images; then there is a folder without a
            checkpoint too, for the time of the block.

    Yields:
        The folder; None where none is of use, or none can be made.
    """
    with contextlib.ExitStack() as stack:
        folder = None
        if checkpoint is not None:
            folder = checkpoint.with_name(f"{checkpoint.stem}.answers")
        elif several:
            with contextlib.suppress(OSError):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trimtab-")))
        yield folder


def seed_of_phase(seed: int, number: int) -> int:
    """Returns the seed of a phase: that of the first round is the one given, others see other orders."""
    if number == 1:
        return seed
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0]) >> 1
