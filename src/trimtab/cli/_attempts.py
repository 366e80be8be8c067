"""What a stopped command leaves, to go on from, and what to say of it."""

from __future__ import annotations

import glob
import shlex
from pathlib import Path
from typing import Any

__all__ = ["checkpoint_of", "drop_checkpoints", "stopped_run", "stopped_training"]


def checkpoint_of(out: Path, model: Any, settings: tuple[Any, ...], *others: Any) -> Path:
    """Returns where the training that makes `out` keeps its state, having seen that it can be written there.

    The starting model, the others that have a part in it (one to rewind to, teachers; None for none) and the
    settings are in the name: another training does not go on from it.
    """
    import hashlib

    from trimtab._atomic import check_writable
    from trimtab.models import model_digest

    check_writable(out)
    models = [model_digest(each) for each in (model, *others) if each is not None]
    digest = hashlib.sha256(repr((models, *settings)).encode()).hexdigest()
    return out.with_name(f".{out.name}.{digest[:12]}.checkpoint.npz")


def drop_checkpoints(out: Path) -> None:
    """Removes what trainings that were to make `out` left behind: now it is made."""
    from trimtab.pipeline._folder import remove

    for left in out.parent.glob(f".{glob.escape(out.name)}.*.checkpoint*"):
        remove(left)  # a teacher's answers are a folder


def stopped_training(checkpoint: Path) -> str:
    """Returns what to say after Ctrl-C in a training: where it goes on from, if it got that far."""
    rounds = checkpoint.parent.glob(f"{glob.escape(checkpoint.stem)}.round-*.npz")  # of iterative pruning
    if not checkpoint.is_file() and not any(rounds):
        return "Stopped before the first epoch was done."
    return f"Stopped; the finished epochs are kept in {checkpoint}. The same command goes on."


def stopped_run(folder: Path) -> str:
    """Returns what to say after Ctrl-C: how the run goes on, if there is one yet."""
    from trimtab.pipeline import RunFolder

    if not RunFolder(folder).holds_run():
        return "Stopped before anything was done."
    words = shlex.join(["trimtab", "run", str(folder), "--resume"])
    return f"Stopped; what was done is kept. To go on: {words}"
