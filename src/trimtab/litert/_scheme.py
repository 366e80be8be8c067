"""Schemes: which numbers a converted file computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from trimtab.errors import ConfigError, nearest

__all__ = ["SCHEMES", "Scheme", "scheme"]

_BYTES = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True)
class Scheme:
    """How a model's numbers are stored and computed in a LiteRT file.

    Args:
        name: the name that people use, such as ``"int8"``.
        weights: number type the kernels are stored in.
        activations: number type between the layers. ``"float32"`` with int8 weights is the dynamic
            scheme: activations are quantized on the fly where a kernel can use it.
        io: number type of the file's input and output.
        error_limit: largest error that the parity check accepts, as a share of the spread (standard
            deviation) of the model's outputs. For float schemes it bounds the largest error of all
            outputs, for quantized schemes the mean error.

    Raises:
        ConfigError: the combination is not one that the converter can make.
    """

    name: str
    weights: Literal["float32", "float16", "int8"]
    activations: Literal["float32", "int8"]
    io: Literal["float32", "int8"]
    error_limit: float

    def __post_init__(self) -> None:
        for field, known in (("weights", _BYTES), ("activations", ("float32", "int8"))):
            if getattr(self, field) not in known:
                raise ConfigError(
                    f"Scheme {self.name!r}: {field} are one of {', '.join(known)}. "
                    f"Received: {getattr(self, field)!r}"
                )
        if self.activations == "int8" and self.weights != "int8":
            raise ConfigError(
                f"Scheme {self.name!r}: int8 activations need int8 weights. "
                f"Received: weights={self.weights!r}"
            )
        if self.io != self.activations:
            raise ConfigError(
                f"Scheme {self.name!r}: input and output have the activations' type "
                f"({self.activations}). Received: io={self.io!r}"
            )
        if not self.error_limit > 0:
            raise ConfigError(
                f"Scheme {self.name!r}: error_limit is a share above 0. Received: {self.error_limit!r}"
            )

    @property
    def static(self) -> bool:
        """True where the ranges of the activations are fixed beforehand, by calibration images."""
        return self.activations == "int8"

    @property
    def quantized(self) -> bool:
        """True where any number is an integer."""
        return self.weights == "int8"

    @property
    def bytes_per_weight(self) -> int:
        """Bytes that one kernel value takes in the file."""
        return _BYTES[self.weights]


# Where the error limits come from: see the docstring of `trimtab/litert/_parity.py`.
SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Scheme("float32", "float32", "float32", "float32", error_limit=1e-3),
            Scheme("float16", "float16", "float32", "float32", error_limit=2e-2),
            Scheme("dynamic-int8", "int8", "float32", "float32", error_limit=0.05),
            Scheme("int8", "int8", "int8", "int8", error_limit=0.08),
        )
    }
)


def scheme(name: str | Scheme) -> Scheme:
    """Returns the scheme of that name; a `Scheme` is returned as it is.

    Args:
        name: ``"float32"``, ``"float16"``, ``"dynamic-int8"`` or ``"int8"`` (static, int8 in and out).

    Raises:
        ConfigError: no scheme has that name.

    Example:
        >>> scheme("int8").static
        True
    """
    if isinstance(name, Scheme):
        return name
    if name not in SCHEMES:
        raise ConfigError(
            f"No scheme is called {name!r}; there are {', '.join(SCHEMES)}.{nearest(str(name), SCHEMES)}"
        )
    return SCHEMES[name]
