"""LiteRT files: convert to them, run them, look inside, and prove that they compute what the model does."""

from __future__ import annotations

from trimtab.litert._caution import Caution
from trimtab.litert._convert import convert
from trimtab.litert._diet import diet
from trimtab.litert._edge_quantizer import quantize_file
from trimtab.litert._fake_quantized import carries_ranges
from trimtab.litert._inspect import FileSummary, TensorInfo, inspect
from trimtab.litert._model import LiteRTModel
from trimtab.litert._parity import Parity, check_parity
from trimtab.litert._scheme import SCHEMES, Scheme, scheme

__all__ = [
    "SCHEMES",
    "Caution",
    "FileSummary",
    "LiteRTModel",
    "Parity",
    "Scheme",
    "TensorInfo",
    "carries_ranges",
    "check_parity",
    "convert",
    "diet",
    "inspect",
    "quantize_file",
    "scheme",
]
