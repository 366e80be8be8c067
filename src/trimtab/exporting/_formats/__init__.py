"""Formats beside LiteRT: how each is written and run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trimtab.exporting._formats._c import array_files, array_name
from trimtab.exporting._formats._exporter import Answers, Exporter, make_and_run
from trimtab.exporting._formats._onnx import ONNX
from trimtab.exporting._formats._openvino import OPENVINO
from trimtab.exporting._formats._torch import TORCH

__all__ = [
    "EXPORTERS",
    "Answers",
    "Exporter",
    "array_files",
    "array_name",
    "make_and_run",
]

EXPORTERS: Mapping[str, Exporter] = MappingProxyType(
    {exporter.name: exporter for exporter in (ONNX, OPENVINO, TORCH)}
)
"""What writes the formats that are not LiteRT in another wrapping."""
