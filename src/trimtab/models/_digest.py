"""A fingerprint of a model: the same for the same architecture and weights, in memory or in a file."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import keras
import numpy as np

from trimtab.models._clone import config_of

__all__ = ["model_digest"]

# How a model came to be built or trained says nothing about what it computes.
_NOT_ARCHITECTURE = {"build_config", "compile_config"}


def model_digest(model: keras.Model) -> str:
    """Returns the SHA-256, in hex, of the model's architecture and weights.

    Saving and loading, cloning and compiling leave it as it is; any change to a weight, a layer's setting or
    name changes it. Optimizer state, metrics and the state of dropout's generators are not part of it.

    Raises:
        ModelError: the model has no config.
    """
    digest = hashlib.sha256()
    architecture = _architecture(config_of(model))
    digest.update(json.dumps(architecture, sort_keys=True, separators=(",", ":")).encode())
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        digest.update(f"{value.dtype} {value.shape}\n".encode())
        digest.update(value.view(np.uint8).data if value.ndim else value.tobytes())
    return digest.hexdigest()


def _architecture(config: Any) -> Any:
    """Drops what is not architecture."""
    if isinstance(config, dict):
        return {key: _architecture(value) for key, value in config.items() if key not in _NOT_ARCHITECTURE}
    if isinstance(config, list | tuple):
        return [_architecture(value) for value in config]
    return config
