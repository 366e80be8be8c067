"""A teacher that may stand beside a step's training: what recipes and the command line say of it."""

from __future__ import annotations

from pydantic import Field

from trimtab.errors import ConfigError
from trimtab.pipeline._section import Section, Speech

__all__ = ["ITSELF", "TeacherOptions"]

ITSELF = "itself"
"""The word for the model as it is before: it teaches what is made of it."""


class TeacherOptions(Section):
    """How a teacher is listened to; which model it is, recipes and commands say in their own ways."""

    temperature: float | None = Field(None, gt=0)
    alpha: float | None = Field(None, ge=0, le=1)

    @property
    def trains(self) -> bool:
        """Whether there is any training that a teacher could teach in."""
        return True

    def check_teacher(self, teacher: object, speech: Speech = str) -> None:
        """Refuses what is said of a teacher where there is none, or where nothing is trained.

        Raises:
            ConfigError: what is wrong, in one line.
        """
        for name in ("temperature", "alpha"):
            if teacher is None and getattr(self, name) is not None:
                raise ConfigError(
                    f"{speech(name)} is about a teacher; name one with {speech('teacher')}, or leave it out."
                )
        if teacher is not None and not self.trains:
            raise ConfigError(
                f"a {speech('teacher')} teaches in training; give {speech('epochs')}, or leave it out."
            )
