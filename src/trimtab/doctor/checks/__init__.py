"""The checks that every model goes through, a file for each thing that can stand in the way."""

from __future__ import annotations

from trimtab.doctor.checks import (
    _activation,
    _batch_normalization,
    _channels,
    _conversion,
    _custom_layers,
    _dense,
    _float_layers,
    _inputs,
    _precision,
    _rewriting,
    _scaling,
    _scheme,
    _softmax,
)

__all__ = [
    "_activation",
    "_batch_normalization",
    "_channels",
    "_conversion",
    "_custom_layers",
    "_dense",
    "_float_layers",
    "_inputs",
    "_precision",
    "_rewriting",
    "_scaling",
    "_scheme",
    "_softmax",
]
