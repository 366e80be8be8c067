"""Doing a step: what it has at hand, what it leaves, and the two verbs that each kind of step teaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab._atomic import write_text
from trimtab._records import to_plain
from trimtab.errors import ConfigError
from trimtab.progress import Progress

if TYPE_CHECKING:
    from trimtab.data import ImageData
    from trimtab.training import History

__all__ = ["Bench", "Outcome", "Preview", "check", "perform"]


@dataclass(frozen=True)
class Bench:
    """What a step has at hand while it works."""

    folder: Path
    """The step's own folder; everything it writes goes there."""
    data: ImageData
    seed: int
    parents: Mapping[str, Mapping[str, Any]]
    """Results of the steps it starts from, by name."""
    parent_folders: Mapping[str, Path]
    progress: Progress
    label: str
    """What to call the step in progress displays."""
    checkpoint: Path
    """Where training keeps its state after each epoch."""

    def parent_model(self, name: str) -> Any:
        """Loads the model that an earlier step made.

        It always comes from its file, so that a resumed run sees what an unbroken one sees.
        """
        from trimtab.models import load_model

        return load_model(self.parent_folders[name] / self.parents[name]["files"]["model"])

    def parent_file(self, name: str, role: str) -> Path:
        """Returns where an earlier step left a file."""
        return self.parent_folders[name] / str(self.parents[name]["files"][role])

    def surroundings(self) -> dict[str, Any]:
        """Returns the arguments that any training verb takes from the run rather than from the step."""
        return {
            "seed": self.seed,
            "checkpoint": self.checkpoint,
            "keep_checkpoint": True,  # until the step's result is written
            "progress": self.progress,
            "label": self.label,
        }

    def outcome(self, model: Any, record: dict[str, Any], history: History | None = None) -> Outcome:
        """Writes a model, its summary and its history into the step's folder."""
        from trimtab.models import architecture_summary, macs, model_digest, non_zeros, parameters, save_model

        save_model(model, self.folder / "model.keras")
        write_text(self.folder / "summary.txt", architecture_summary(model) + "\n")
        files = {"model": "model.keras", "summary": "summary.txt"}
        if history is not None:
            history.write_csv(self.folder / "history.csv")
            files["history"] = "history.csv"
            best = history.epochs[history.best_epoch - 1]
            record = {
                **record,
                "epochs": len(history.epochs),
                "best_epoch": history.best_epoch,
                "val_accuracy": best.val_accuracy,
                "val_loss": best.val_loss,
                "training_seconds": history.seconds,
            }
        facts = {
            "parameters": parameters(model),
            "non_zeros": non_zeros(model),
            "macs": macs(model),
            "keras_bytes": (self.folder / "model.keras").stat().st_size,
            "digest": model_digest(model),
        }
        return Outcome(record, files, to_plain(facts))


@dataclass(frozen=True)
class Outcome:
    """What a step did: its record, and the files it wrote into its folder by their roles."""

    record: dict[str, Any]
    files: dict[str, str]
    model: dict[str, Any] | None = None


@dataclass(frozen=True)
class Preview:
    """What is known of a recipe before the first step is done."""

    data: ImageData
    steps: Mapping[str, Any]
    """The settings of all steps, by name."""
    models: dict[str, Any] = field(default_factory=dict)
    """Of the steps gone through so far, models that are built like theirs, but not trained."""

    def exact(self, name: str) -> bool:
        """Tells whether a model here has the very shapes that the step's will have.

        Which channels go is decided by weights that are not there yet: the layers are known, not how many
        channels each of them keeps.
        """
        step = self.steps[name]
        parent = getattr(step, "from_", None)
        return step.do != "prune_channels" and (parent is None or self.exact(parent))


@singledispatch
def perform(step: Any, bench: Bench) -> Outcome:  # noqa: ARG001
    """Does one step of a recipe.

    Args:
        step: the step's settings; their type decides what is done.
        bench: what the step has at hand.
    """
    raise ConfigError(f"there is no way to do a step of type {type(step).__name__}.")


@singledispatch
def check(step: Any, preview: Preview) -> Any:  # noqa: ARG001
    """Refuses a step that could not be done, before anything is.

    Args:
        step: the step's settings; their type decides what is checked.
        preview: what is known of the recipe.

    Returns:
        A model shaped like the one that the step will make; None where that cannot be told.

    Raises:
        TrimtabError: the step cannot be done; the kind is the one that doing it would raise.
    """
    return None
