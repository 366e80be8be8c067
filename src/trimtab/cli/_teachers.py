"""A teacher on the command line: a file, or the word for the model as it is before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trimtab.errors import ConfigError

__all__ = ["Teacher", "check_teacher_file", "loaded_teacher"]

_ITSELF = "itself"

Teacher = Annotated[
    str | None,
    typer.Option(
        "--teacher", help="Model that teaches the new one: a file, or 'itself' for MODEL as it is before."
    ),
]


def check_teacher_file(teacher: str | None) -> None:
    """Refuses a file that is not there, before anything is loaded."""
    if teacher not in (None, _ITSELF) and not Path(str(teacher)).exists():
        raise ConfigError(
            f"--teacher {teacher}: there is no such file. Give a .keras or .h5 file, or 'itself' for the "
            "model as it is before."
        )


def loaded_teacher(teacher: str | None) -> tuple[Any, Any]:
    """Returns what a verb takes as teacher, and the model that was loaded for it; None for none."""
    import trimtab

    if teacher in (None, _ITSELF):
        return teacher, None
    model = trimtab.load_model(str(teacher))
    return model, model
