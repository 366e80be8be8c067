"""What every step of a recipe says, and from which earlier ones it may start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from trimtab.errors import nearest
from trimtab.pipeline._section import Section

__all__ = ["PLAIN_NAME", "StepSettings"]

PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""Names that are fit for files on every system."""


class StepSettings(Section):
    """The settings that each kind of step has, and what a recipe needs to know of its kind."""

    makes: ClassVar[Literal["model", "file", "finding"]] = "model"
    """What others may start from: a model; a file is shipped, a finding is read by the step that names it."""
    measured: ClassVar[bool] = True
    """Whether it is measured at the end where the recipe does not say what is."""

    name: str
    note: str = ""

    @model_validator(mode="after")
    def _plain_name(self) -> Self:
        """Keeps step names fit for file names."""
        if not PLAIN_NAME.fullmatch(self.name):
            raise ValueError(
                f"the name {self.name!r} cannot be a file name; use small letters, digits, '-', '_' and '.'"
            )
        return self

    @property
    def parents(self) -> tuple[str, ...]:
        """The steps whose models, or findings, this one starts from."""
        return ()

    @property
    def reads(self) -> tuple[Path, ...]:
        """The files of the user that it reads beside the images."""
        return ()

    @property
    def judged(self) -> bool:
        """Whether its model has an accuracy on the validation images, by which it can be picked."""
        return True

    def check_parent(self, parent: str, earlier: Mapping[str, Any]) -> None:
        """Refuses a step to start from that is not above this one, or does not have what it needs.

        Args:
            parent: one of `parents`.
            earlier: the settings of the steps above, by name.

        Raises:
            ValueError: what is wrong, in words.
        """
        if parent not in earlier:
            hint = nearest(parent, earlier) or " A step may only start from one above it."
            raise ValueError(
                f"step {self.name!r} starts from {parent!r}, which no step above it is named.{hint}"
            )
        if earlier[parent].makes == "finding":
            raise ValueError(
                f"step {self.name!r} starts from {parent!r}, which looks at a model and makes none. "
                f"Start from {earlier[parent].from_!r}"
            )
        if earlier[parent].makes == "file":
            raise ValueError(
                f"step {self.name!r} starts from {parent!r}, which is a file, not a model to go on with"
            )
