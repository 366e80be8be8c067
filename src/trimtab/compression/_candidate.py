"""One proposal of the search: a network, how it is taught, and what is done to it afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from trimtab.errors import ConfigError, RunError

__all__ = ["Baseline", "Candidate", "Lesson", "Narrowed", "Network", "ZooNetwork"]

_AUGMENTATIONS = ("none", "flip", "shift", "all")


@dataclass(frozen=True)
class ZooNetwork:
    """A fresh network of a family of `trimtab.zoo`.

    Args:
        architecture: such as ``"resnet"``.
        options: its options, such as ``(("depth", 8), ("width", 7))``.
    """

    architecture: str
    options: tuple[tuple[str, Any], ...] = ()
    kind: Literal["zoo"] = "zoo"

    def __str__(self) -> str:
        # What is off needs no word, and what is on no value.
        told = ", ".join(_option(name, value) for name, value in self.options if value not in (0, None))
        return f"{self.architecture} ({told})" if told else self.architecture


@dataclass(frozen=True)
class Narrowed:
    """The baseline without the channels that matter least, its other weights as they are.

    Args:
        parameters: share of the baseline's parameters that stay, above 0 and below 1.
    """

    parameters: float
    kind: Literal["narrowed"] = "narrowed"

    def __post_init__(self) -> None:
        if not 0 < self.parameters < 1:
            raise ConfigError(
                f"parameters is the share that stays, above 0 and below 1. Received: {self.parameters!r}."
            )

    def __str__(self) -> str:
        return f"baseline, {self.parameters:.0%} of its parameters"


@dataclass(frozen=True)
class Baseline:
    """The baseline as it is, trained on."""

    kind: Literal["baseline"] = "baseline"

    def __str__(self) -> str:
        return "baseline"


Network: TypeAlias = ZooNetwork | Narrowed | Baseline


@dataclass(frozen=True)
class Lesson:
    """How a candidate is trained.

    Args:
        learning_rate: the rate of the first step of each training.
        augmentation: ``"none"``, ``"flip"``, ``"shift"`` (by a tenth) or ``"all"`` (both, and a cutout).
        temperature: softens the teacher's answers.
        alpha: share of the labels beside the teacher.
    """

    learning_rate: float = 3e-3
    augmentation: str = "none"
    temperature: float = 4.0
    alpha: float = 0.1

    def __post_init__(self) -> None:
        if self.augmentation not in _AUGMENTATIONS:
            raise ConfigError(
                f"augmentation is one of {', '.join(_AUGMENTATIONS)}. Received: {self.augmentation!r}."
            )


@dataclass(frozen=True)
class Candidate:
    """A chain of techniques as plain data.

    Args:
        network: what is trained.
        lesson: how.
        sparsity: share of the weights that become zero; for the download alone.
        clusters: different values in each layer; None: as they are. For the download alone.
        scheme: numbers of the file: ``"int8"`` or ``"int4"``.
    """

    network: Network
    lesson: Lesson = field(default_factory=Lesson)
    sparsity: float = 0.0
    clusters: int | None = None
    scheme: str = "int8"

    def __str__(self) -> str:
        parts = [str(self.network)]
        if self.lesson.augmentation != "none":
            parts.append(f"augmentation {self.lesson.augmentation}")
        if self.sparsity:
            parts.append(f"{self.sparsity:.0%} zeros")
        if self.clusters:
            parts.append(f"{self.clusters} values a layer")
        if self.scheme != "int8":
            parts.append(self.scheme)
        return ", ".join(parts)

    def to_plain(self) -> dict[str, Any]:
        """Returns the candidate as plain data, for a record or a job."""
        plain = dataclasses.asdict(self)
        if isinstance(self.network, ZooNetwork):
            plain["network"]["options"] = {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.network.options
            }
        return plain

    @classmethod
    def of_plain(cls, record: Mapping[str, Any]) -> Candidate:
        """Returns the candidate that a record tells of.

        Raises:
            RunError: the record tells of none.
        """
        try:
            rest = {key: value for key, value in record.items() if key not in ("network", "lesson")}
            return cls(_network(record["network"]), Lesson(**record["lesson"]), **rest)
        except (KeyError, TypeError, AttributeError, ConfigError) as error:
            raise RunError(
                f"A record tells of no candidate ({error}). Start again in a new folder."
            ) from None


def _network(record: Mapping[str, Any]) -> Network:
    """Returns the network that a record tells of."""
    kind = record["kind"]
    if kind == "zoo":
        options = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in record["options"].items()
        }
        return ZooNetwork(record["architecture"], tuple(options.items()))
    if kind == "narrowed":
        return Narrowed(float(record["parameters"]))
    if kind == "baseline":
        return Baseline()
    raise KeyError(kind)


def _option(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    return words if value is True else f"{words} {_told(value)}"


def _told(value: Any) -> str:
    """Says an option's value."""
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
