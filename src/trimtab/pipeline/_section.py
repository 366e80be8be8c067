"""A part of a recipe, or the options of a command: values that are checked when they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo

from trimtab.errors import ConfigError

__all__ = ["Section", "Speech", "spoken"]

Speech = Callable[[str], str]
"""From the name of a field to what its user calls it: a recipe's key, or an option that is typed."""


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors, and nothing changes after it was checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    @classmethod
    def checked(cls, speech: Speech = str, /, **values: Any) -> Self:
        """Makes it from values that did not come from a recipe.

        Args:
            speech: what the user calls each field, for messages.
            values: the fields.

        Raises:
            ConfigError: a value makes no sense; one line.
        """
        try:
            return cls.model_validate(values, context=speech)
        except ValidationError as error:
            first = error.errors()[0]
        place = "".join(f"{speech(str(part))}: " for part in first["loc"][:1])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] != "value_error":
            message = f"{message[0].lower()}{message[1:]}. Received: {first['input']!r}"
        raise ConfigError(place + message + ("" if message.endswith((".", "?")) else "."))


def spoken(info: ValidationInfo) -> Speech:
    """Returns what the user calls each field, for a validator; in a recipe, by its own name."""
    return info.context or str
