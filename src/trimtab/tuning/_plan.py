"""How a search goes about it: how many trials, how long, where, and what for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.errors import ConfigError, nearest

__all__ = ["OBJECTIVES", "Plan"]

OBJECTIVES = ("accuracy", "parameters", "macs")
"""What can be searched for; the last two are to be small."""


@dataclass(frozen=True)
class Plan:
    """What `tune` was asked for beside the images and the space; see there for what each argument means.

    Raises:
        ConfigError: an argument makes no sense.
    """

    trials: int = 30
    minutes: float | None = None
    jobs: int = 1
    cluster: str | None = None
    objectives: Sequence[str] = ("accuracy",)
    cut_short: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.trials, bool) or not isinstance(self.trials, int) or self.trials < 1:
            raise ConfigError(
                f"trials must be a whole number of at least 1. Received: trials={self.trials!r}."
            )
        if self.minutes is not None and not self.minutes > 0:
            raise ConfigError(
                f"minutes must be a number above 0, or None. Received: minutes={self.minutes!r}."
            )
        if isinstance(self.jobs, bool) or not isinstance(self.jobs, int) or self.jobs < 1:
            raise ConfigError(f"jobs must be a whole number of at least 1. Received: jobs={self.jobs!r}.")
        object.__setattr__(self, "objectives", tuple(self.objectives))
        for name in self.objectives:
            if name not in OBJECTIVES:
                raise ConfigError(
                    f"there is no objective {name!r}.{nearest(str(name), OBJECTIVES)} There are: "
                    f"{', '.join(OBJECTIVES)}."
                )
        if self.objectives[:1] != ("accuracy",) or len(set(self.objectives)) < len(self.objectives):
            raise ConfigError(
                "objectives begin with accuracy, and name each other one once, such as accuracy, parameters. "
                f"Received: {', '.join(self.objectives) or 'none'}."
            )

    @property
    def cuts(self) -> bool:
        """Whether hopeless trials are ended early; that takes one objective."""
        return self.cut_short and len(self.objectives) == 1
