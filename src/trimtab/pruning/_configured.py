"""Parts of pruning that are data: frozen, compared by value, saved and loaded by Keras."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from trimtab.errors import ConfigError, nearest

__all__ = ["Configured"]


@dataclasses.dataclass(frozen=True)
class Configured:
    """A frozen dataclass that Keras can save: its config is its fields, and unknown keys are refused."""

    def get_config(self) -> dict[str, Any]:
        """Returns the settings as plain data."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes the object from what `get_config` gave.

        Raises:
            ConfigError: a key is unknown or missing, or a value makes no sense.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for key in config:
            if key not in names:
                raise ConfigError(
                    f"{cls.__name__} has no setting {key!r}; it has: {', '.join(names) or 'none'}."
                    f"{nearest(key, names)}"
                )
        try:
            return cls(**config)
        except TypeError as error:
            raise ConfigError(f"{cls.__name__} cannot be made from {config!r}: {error}.") from error
