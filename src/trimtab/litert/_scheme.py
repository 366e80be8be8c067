"""Schemes: which numbers a converted file computes with, and the grammar of their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from trimtab.errors import ConfigError, nearest
from trimtab.litert._caution import Caution, cautions_of

__all__ = ["SCHEMES", "Scheme", "scheme"]

_BYTES = {"float32": 4.0, "float16": 2.0, "int8": 1.0, "int4": 0.5}
_ACTIVATIONS = ("float32", "int8", "int16")
_BLOCKS = (32, 64, 128, 256)
_NAME = re.compile(
    r"(?P<float>float32|float16)"
    r"|(?P<dynamic>dynamic-)(?P<loose>int8|int4)(?:-block(?P<block>\d{1,4}))?"
    r"|(?P<fixed>int8|int4|int16x8)(?P<io>-float-io)?"
)
# Where the limits come from: see the docstring of `trimtab/litert/_parity.py`.
_FLOAT_LIMITS = {"float32": 1e-3, "float16": 2e-2}
_DYNAMIC_LIMITS = {"int8": 0.05, "int4": 0.1}
_STATIC_LIMITS = {"int8": 0.08, "int4": 0.08, "int16x8": 0.05}


@dataclass(frozen=True)
class Scheme:
    """How a model's numbers are stored and computed in a LiteRT file.

    Args:
        name: the name that people use, such as ``"int8"``; its grammar is that of `scheme`.
        weights: number type the kernels are stored in.
        activations: number type between the layers. ``"float32"`` with integer weights is the dynamic
            scheme: activations are quantized on the fly where a kernel can use it.
        io: number type of the file's input and output: that of the activations, or ``"float32"``.
        error_limit: error that the parity check accepts without looking further, as a share of the spread
            (standard deviation) of the model's outputs. For float schemes it bounds the largest error of
            all outputs, for quantized schemes the mean error.
        block: weights in a row that share one scale; None: those of an output channel do (in a dense
            layer of a static file, all).

    Raises:
        ConfigError: the combination is not one that LiteRT runs.
    """

    name: str
    weights: Literal["float32", "float16", "int8", "int4"]
    activations: Literal["float32", "int8", "int16"]
    io: Literal["float32", "int8", "int16"]
    error_limit: float
    block: int | None = None

    def __post_init__(self) -> None:
        for field, known in (("weights", tuple(_BYTES)), ("activations", _ACTIVATIONS)):
            if getattr(self, field) not in known:
                raise self._refused(f"{field} are one of {', '.join(known)}", getattr(self, field))
        if self.static and not self.quantized:
            raise self._refused(f"{self.activations} activations need integer weights", self.weights)
        if self.activations == "int16" and self.weights != "int8":
            raise self._refused("int16 activations have kernels for int8 weights only", self.weights)
        if self.io not in ("float32", self.activations):
            raise self._refused(
                f"input and output have the activations' type ({self.activations}) or float32", self.io
            )
        if self.block is not None and (self.block not in _BLOCKS or self.static or self.weights != "int4"):
            raise self._refused(
                f"blocks of {', '.join(map(str, _BLOCKS))} weights are for dynamic int4", self.block
            )
        if not self.error_limit > 0:
            raise self._refused("error_limit is a share above 0", self.error_limit)

    def _refused(self, wanted: str, received: object) -> ConfigError:
        return ConfigError(f"Scheme {self.name!r}: {wanted}. Received: {received!r}")

    @property
    def static(self) -> bool:
        """True where the ranges of the activations are fixed beforehand: by images, or in the model."""
        return self.activations != "float32"

    @property
    def quantized(self) -> bool:
        """True where any number is an integer."""
        return self.weights in ("int8", "int4")

    @property
    def bytes_per_weight(self) -> float:
        """Bytes that one kernel value takes in the file."""
        return _BYTES[self.weights]

    @property
    def route(self) -> Literal["converter", "fake-quantized", "edge-quantizer"]:
        """What makes the file of an ordinary model.

        ``"converter"``: TensorFlow's, with calibration images where the scheme is static.
        ``"fake-quantized"``: the same from a model that carries its ranges, for what the converter cannot be
        told: int4 weights with int8 activations. ``"edge-quantizer"``: `ai-edge-quantizer`, on the
        converter's float file, for dynamic int4. (A model that carries its ranges always goes the second.)
        """
        if self.weights != "int4":
            return "converter"
        return "fake-quantized" if self.static else "edge-quantizer"

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """On which files and processors the scheme is a trap, with the factor that was measured."""
        return cautions_of(self.weights, self.activations)

    @property
    def caution(self) -> str | None:
        """All its cautions in a line; None for a scheme that has none."""
        return " ".join(entry.text for entry in self.cautions) or None


def _parsed(name: str) -> Scheme | None:
    """Reads a scheme's name; None where it is none."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    if match["float"]:
        kind: Literal["float32", "float16"] = match["float"]  # type: ignore[assignment]
        return Scheme(name, kind, "float32", "float32", _FLOAT_LIMITS[kind])
    if match["dynamic"]:
        weights: Literal["int8", "int4"] = match["loose"]  # type: ignore[assignment]
        block = int(match["block"]) if match["block"] else None
        return Scheme(name, weights, "float32", "float32", _DYNAMIC_LIMITS[weights], block)
    fixed = match["fixed"]
    activations: Literal["int8", "int16"] = "int16" if fixed == "int16x8" else "int8"
    return Scheme(
        name,
        "int4" if fixed == "int4" else "int8",
        activations,
        "float32" if match["io"] else activations,
        _STATIC_LIMITS[fixed],
    )


_NAMES = (
    *("float32", "float16", "dynamic-int8", "int8", "int8-float-io", "int16x8", "int16x8-float-io"),
    *("int4", "int4-float-io", "dynamic-int4", "dynamic-int4-block32"),
)
SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {name: entry for name in _NAMES if (entry := _parsed(name)) is not None}
)


def scheme(name: str | Scheme) -> Scheme:
    """Returns the scheme of that name; a `Scheme` is returned as it is.

    The grammar, weights first:

    - ``float32``, ``float16``: computes in float.
    - ``dynamic-`` before ``int8`` or ``int4``: integer weights, float activations that are quantized while
      the file runs; needs no images. ``-block32`` (64, 128, 256) after int4: so many weights share a scale.
    - ``int8``, ``int4``: static: integer weights and int8 activations, ranges fixed beforehand.
      ``int16x8``: int16 activations, int8 weights. ``-float-io`` after any: float32 input and output.

    Args:
        name: one of `SCHEMES`, or another that the grammar makes.

    Raises:
        ConfigError: no scheme has that name.

    Example:
        >>> scheme("int8").static
        True
        >>> scheme("dynamic-int4-block64").block
        64
    """
    if isinstance(name, Scheme):
        return name
    found = SCHEMES.get(name) or (_parsed(name) if isinstance(name, str) else None)
    if found is None:
        raise ConfigError(
            f"No scheme is called {name!r}; there are {', '.join(SCHEMES)}.{nearest(str(name), SCHEMES)}"
        )
    return found
