"""What the device can bear, and how much accuracy may be lost: the limits that a model must keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trimtab._units import QUANTITIES, Amount, amount, points, share
from trimtab.errors import ConfigError

__all__ = ["COSTS", "Budget", "Limits", "spoken_limit"]

_UPPER = {"max_size": "size", "max_latency": "latency", "max_memory": "memory", "max_download": "download"}
COSTS: Mapping[str, str] = {
    "max_size": "bytes",
    "max_latency": "latency_ms",
    "max_memory": "memory_bytes",
    "max_download": "gzip_bytes",
}
"""Which fact of a candidate each upper limit is about."""


@dataclass(frozen=True)
class Budget:
    """Limits that a model must keep; at least one is given.

    What is limited is the deployable file: its bytes, its time for one image on this machine (one thread),
    the memory that its activations need while it runs, and its bytes when compressed with gzip. Only the
    last one gets smaller by zeros and shared values.

    Args:
        max_size: bytes of the file: ``100_000``, ``"100kB"`` (1000 bytes each), ``"100KiB"``, or ``"25%"`` of
            the baseline's int8 file.
        max_latency: milliseconds for one image: ``2``, ``"2ms"``, ``"500us"``, or a share of the baseline's.
        max_drop: percentage points of accuracy below the baseline: ``0.5``.
        min_accuracy: share of the images that are classified rightly: ``0.91`` or ``"91%"``.
        max_memory: bytes of working memory, without the weights: ``"256kB"``, or a share of the baseline's.
        max_download: bytes of the gzipped file: ``"50kB"``, or a share of the baseline's.

    Raises:
        ConfigError: no limit is given, one makes no sense, or one makes another pointless.

    Example:
        >>> Budget(max_size="100kB", max_drop=0.5).limits().max_size
        100000.0
    """

    max_size: float | str | None = None
    max_latency: float | str | None = None
    max_drop: float | str | None = None
    min_accuracy: float | str | None = None
    max_memory: float | str | None = None
    max_download: float | str | None = None

    def __post_init__(self) -> None:
        if not self.given:
            raise ConfigError(
                "A budget needs at least one limit, such as max_size='100kB', max_latency='2ms' or "
                "max_drop=0.5."
            )
        for name in _UPPER:
            self._amount(name)
        if self.max_drop is not None:
            points("max_drop", self.max_drop)
        if self.min_accuracy is not None:
            share("min_accuracy", self.min_accuracy)
        self._refuse_contradictions()

    @property
    def given(self) -> dict[str, float | str]:
        """The limits as they were written, by name."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def relative(self) -> bool:
        """Whether a limit depends on the baseline's own size or speed."""
        return any(found.relative for name in _UPPER if (found := self._amount(name)) is not None)

    def limits(self, baseline: Mapping[str, float | None] | None = None) -> Limits:
        """Returns the limits in plain units.

        Args:
            baseline: facts of the baseline's int8 file (``bytes``, ``latency_ms``, ``memory_bytes``,
                ``gzip_bytes``) that shares are shares of, and its validation ``accuracy``, where known.

        Raises:
            ConfigError: a limit is a share of something that the baseline does not tell.
        """
        known = dict(baseline or {})
        floors = [] if self.min_accuracy is None else [share("min_accuracy", self.min_accuracy)]
        accuracy = known.get("accuracy")
        if self.max_drop is not None and accuracy is not None:
            floors.append(accuracy - points("max_drop", self.max_drop) / 100)
        upper = {name: self._resolved(name, known.get(COSTS[name])) for name in _UPPER}
        return Limits(**upper, min_accuracy=max(floors) if floors else None)

    def _amount(self, name: str) -> Amount | None:
        """Reads an upper limit; None where there is none."""
        value = getattr(self, name)
        if value is None:
            return None
        try:
            return amount(_UPPER[name], value)
        except ConfigError as error:
            told = str(error).replace(f"{_UPPER[name]}=", f"{name}=", 1)
            raise ConfigError(told) from None

    def _resolved(self, name: str, whole: float | None) -> float | None:
        """Returns an upper limit in the plain unit."""
        found = self._amount(name)
        if found is None:
            return None
        if found.relative and whole is None:
            raise ConfigError(
                f"{name}={getattr(self, name)!r} is a share of the baseline's, which is not known. "
                "Give a plain "
                f"amount, such as {QUANTITIES[_UPPER[name]][1].split(' or ')[0].split(', ')[-1]}."
            )
        return found.of(whole or 0.0)

    def _refuse_contradictions(self) -> None:
        """Refuses limits that cannot hold together, or of which one says nothing."""
        size, download = self._amount("max_size"), self._amount("max_download")
        alike = size is not None and download is not None and size.relative == download.relative
        if alike and size is not None and download is not None and download.value >= size.value:
            raise ConfigError(
                f"max_download={self.max_download!r} says nothing beside max_size={self.max_size!r}: "
                "a gzipped file is the smaller one of the two. Lower it, or leave it out."
            )
        if self.min_accuracy is not None and self.max_drop is not None:
            highest = 1 - points("max_drop", self.max_drop) / 100
            if share("min_accuracy", self.min_accuracy) > highest:
                raise ConfigError(
                    f"min_accuracy={self.min_accuracy!r} leaves no room for "
                    f"max_drop={self.max_drop!r}: a baseline "
                    f"that is always right would end at {highest:.1%}. Lower one of them, or leave "
                    "max_drop out."
                )


@dataclass(frozen=True)
class Limits:
    """A budget in plain units; None: not limited.

    Args:
        max_size: bytes.
        max_latency: milliseconds.
        max_memory: bytes.
        max_download: bytes.
        min_accuracy: share of the images.
    """

    max_size: float | None = None
    max_latency: float | None = None
    max_memory: float | None = None
    max_download: float | None = None
    min_accuracy: float | None = None

    def excess(self, facts: Mapping[str, float | None]) -> dict[str, float]:
        """Says which limits a file does not keep, and by how much.

        Args:
            facts: ``bytes``, ``latency_ms``, ``memory_bytes``, ``gzip_bytes`` and ``accuracy``, as far as
                known.

        Returns:
            By limit, what the file has as a share of what it may have (for the accuracy, the other way
            round): numbers above 1. What is not known breaks no limit.
        """
        over = {}
        for name, fact in COSTS.items():
            limit, value = getattr(self, name), facts.get(fact)
            if limit is not None and value is not None and value > limit:
                over[name] = value / limit
        accuracy = facts.get("accuracy")
        if self.min_accuracy is not None and accuracy is not None and accuracy < self.min_accuracy:
            over["min_accuracy"] = self.min_accuracy / max(accuracy, 1e-9)
        return over

    def keeps(self, facts: Mapping[str, float | None]) -> bool:
        """Says whether a file keeps all limits, as far as its facts are known."""
        return not self.excess(facts)


def spoken_limit(name: str, value: float) -> str:
    """Says a limit or what is measured against it in the unit that people write."""
    if name == "min_accuracy":
        return f"{value:.2%}"
    if name == "max_latency":
        return f"{value:.3g} ms"
    return f"{value / 1000:,.1f} kB"


def of_plain(record: Mapping[str, Any]) -> Budget:
    """Returns the budget that a record tells of."""
    return Budget(**record)
