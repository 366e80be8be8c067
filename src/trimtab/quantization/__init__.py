"""Models that compute with small integers: prepared, trained, and looked into layer by layer.

`fold` makes the flat model that all of it starts from: batch normalisation and the like have become part of
the layers beside them, as in a converted file, and the outputs are the same::

    from trimtab import quantization

    folded = quantization.fold(model)
    print(folded.notes, folded.kept)
"""

from __future__ import annotations

from trimtab.quantization._bias_correction import BiasCorrected, CorrectedLayer, correct_bias
from trimtab.quantization._equalization import Equalized, EqualizedLayer, equalize
from trimtab.quantization._fake_quantizer import FakeQuantizer
from trimtab.quantization._freezing import freeze_ranges
from trimtab.quantization._mixed import Mixed, Tried, mixed
from trimtab.quantization._prepared import calibrated
from trimtab.quantization._quantize_aware import quantize_aware
from trimtab.quantization._register import Rule, register
from trimtab.quantization._result import QuantizeAwareResult, RangeRecord
from trimtab.quantization._sensitivity import sensitivity
from trimtab.quantization._sensitivity_result import (
    LayerQuantization,
    QuantizationPoint,
    QuantizationSensitivity,
)
from trimtab.quantization._strip import strip
from trimtab.quantization.folding import Folded, fold

__all__ = [
    "BiasCorrected",
    "CorrectedLayer",
    "Equalized",
    "EqualizedLayer",
    "FakeQuantizer",
    "Folded",
    "LayerQuantization",
    "Mixed",
    "QuantizationPoint",
    "QuantizationSensitivity",
    "QuantizeAwareResult",
    "RangeRecord",
    "Rule",
    "Tried",
    "calibrated",
    "correct_bias",
    "equalize",
    "fold",
    "freeze_ranges",
    "mixed",
    "quantize_aware",
    "register",
    "sensitivity",
    "strip",
]
