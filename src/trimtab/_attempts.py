"""What a stopped `trimtab train` or `trimtab prune` leaves beside its output, to go on from."""

from __future__ import annotations

import glob
import hashlib
from pathlib import Path
from typing import Any

__all__ = ["checkpoint_of", "drop_checkpoints", "stopped_training"]


def checkpoint_of(out: Path, model: Any, settings: tuple[Any, ...]) -> Path:
    """Returns where the training that makes `out` keeps its state, having seen that it can be written there.

    The starting model and the settings are in the name: another training does not go on from it.
    """
    from trimtab._atomic import check_writable
    from trimtab.models import model_digest

    check_writable(out)
    digest = hashlib.sha256(repr((model_digest(model), *settings)).encode()).hexdigest()
    return out.with_name(f".{out.name}.{digest[:12]}.checkpoint.npz")


def drop_checkpoints(out: Path) -> None:
    """Removes what trainings that were to make `out` left behind: now it is made."""
    for checkpoint in out.parent.glob(f".{glob.escape(out.name)}.*.checkpoint.npz"):
        checkpoint.unlink(missing_ok=True)


def stopped_training(checkpoint: Path) -> str:
    """Returns what to say after Ctrl-C in a training: where it goes on from, if it got that far."""
    if not checkpoint.is_file():
        return "Stopped before the first epoch was done."
    return f"Stopped; the finished epochs are kept in {checkpoint}. The same command goes on."
