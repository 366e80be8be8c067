"""The checks that a model goes through, each by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from trimtab.doctor._finding import SEVERITIES, Finding
from trimtab.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.doctor._examined import Examined

__all__ = ["Check", "findings_of", "register_check"]

Check = Callable[["Examined"], Iterable[Finding]]
"""Looks at a model and says what it found, worst or not; nothing where all is well."""

_CHECKS: dict[str, Check] = {}


def register_check(name: str) -> Callable[[Check], Check]:
    """Adds a check to those that every model goes through; a later one of that name replaces it.

    Args:
        name: of the check, such as ``"softmax"``.

    Raises:
        ConfigError: the name is no text, or what it stands over is no function.

    Example:
        One that knows what a device cannot do::

            @trimtab.doctor.register_check("no-average-pooling")
            def no_average_pooling(examined):
                calls = examined.calls_of(keras.layers.AveragePooling2D)
                if calls:
                    yield Finding(
                        "no-average-pooling", "problem", "The device has no average pooling.",
                        layers=examined.paths(calls), remedy="Use max pooling.",
                    )
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"A check has a name, such as 'softmax'. Received: {name!r}.")

    def add(check: Check) -> Check:
        if not callable(check):
            raise ConfigError(
                f"The check {name!r} must be a function of what is examined. Received: {check!r}."
            )
        _CHECKS[name] = check
        return check

    return add


def findings_of(examined: Examined) -> tuple[Finding, ...]:
    """Puts a model through all checks; the worst findings come first.

    Raises:
        ConfigError: a check gave something else than findings.
    """
    found: list[Finding] = []
    for name, check in _CHECKS.items():
        given: Any = check(examined)
        for finding in () if given is None else given:
            if not isinstance(finding, Finding):
                raise ConfigError(
                    f"The check {name!r} must give Findings, but gave {type(finding).__name__}."
                )
            found.append(finding)
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
