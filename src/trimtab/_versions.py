"""Which versions a result was made with, found without importing a backend."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys

from trimtab._version import __version__

__all__ = ["version_of", "versions"]

_PACKAGES = ("keras", "tensorflow", "ai-edge-litert", "numpy")
_BACKEND_PACKAGES = {"jax": "jax", "torch": "torch", "openvino": "openvino"}


def versions() -> dict[str, str | None]:
    """Lists the versions of what numbers depend on; None where a package is not installed.

    ``backend`` is the one that Keras runs on if Keras is loaded, else the one the environment asks for, else
    None. A backend other than TensorFlow adds its own version.
    """
    found: dict[str, str | None] = {"trimtab": __version__, "python": platform.python_version()}
    found.update({package: version_of(package) for package in _PACKAGES})
    keras = sys.modules.get("keras")
    backend = keras.config.backend() if keras is not None else os.environ.get("KERAS_BACKEND")
    found["backend"] = backend
    if backend in _BACKEND_PACKAGES:
        found[backend] = version_of(_BACKEND_PACKAGES[backend])
    return found


def version_of(package: str) -> str | None:
    """Gives the version of a package without importing it; None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        # TensorFlow alone is also published without its GPU parts, under another name.
        return version_of("tensorflow-cpu") if package == "tensorflow" else None
