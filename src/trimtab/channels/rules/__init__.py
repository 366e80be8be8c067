"""How channels pass through each kind of layer: a file a family, each registering its rules."""

from __future__ import annotations

from trimtab.channels.rules import (
    _attention,
    _convolution,
    _dense,
    _depthwise,
    _elementwise,
    _merging,
    _normalization,
    _operators,
    _shape,
    _spatial,
)

__all__: list[str] = []

_FAMILIES = (
    _attention,
    _convolution,
    _dense,
    _depthwise,
    _elementwise,
    _merging,
    _normalization,
    _operators,
    _shape,
    _spatial,
)
