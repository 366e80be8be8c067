"""One thing about a model that is worth knowing before it is made small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from trimtab.errors import ConfigError, nearest

__all__ = ["SEVERITIES", "Finding", "Severity"]

Severity = Literal["problem", "warning", "hint"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
"""From worst to least: something will not work; it works and costs; it could be better."""


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Args:
        name: of what is found, in small words with hyphens: ``"softmax-at-the-end"``.
        severity: ``"problem"``: something will not work. ``"warning"``: it will, and costs accuracy, speed or
            size. ``"hint"``: it could be better.
        what: the finding, in one plain sentence.
        layers: paths of the layers concerned, in the order of the model; none: the model as a whole.
        cost: what it costs, in one sentence.
        remedy: what helps, in one sentence.

    Raises:
        ConfigError: there is no such severity, or it says nothing.
    """

    name: str
    severity: Severity
    what: str
    layers: tuple[str, ...] = ()
    cost: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ConfigError(
                f"A finding's severity is one of {', '.join(SEVERITIES)}. Received: {self.severity!r}."
                f"{nearest(str(self.severity), SEVERITIES)}"
            )
        if not self.name or not self.what:
            raise ConfigError(
                f"A finding has a name and says what was found. Received: name={self.name!r}, "
                f"what={self.what!r}."
            )
        object.__setattr__(self, "layers", tuple(self.layers))
