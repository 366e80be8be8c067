"""Files of networks that are not trained yet: what they weigh and take is known all the same.

Size, memory and latency do not depend on what the weights are. So a candidate is converted with the weights
it has, calibrated with noise, and without the parity check that `trimtab.export` makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab import litert, models
from trimtab._temporary import temporary_folder
from trimtab.benchmarking._litert_subject import LiteRTSubject
from trimtab.benchmarking._subject import TimedCall
from trimtab.pruning.where._prunable import as_numpy

if TYPE_CHECKING:
    import keras

__all__ = ["noise", "probe_call", "probe_file", "roughen"]

_NOISE_IMAGES = 8

Shape = tuple[int, int, int]


def roughen(model: keras.Model, seed: int = 0) -> keras.Model:
    """Gives vectors of equal numbers a little noise, in place, and returns the model.

    The converter leaves out a bias of zeros, and keeps equal vectors once: what was never trained would weigh
    less than it does later.
    """
    random = np.random.default_rng(seed)
    for weight in model.weights:
        value = as_numpy(weight)
        if value.size > 1 and value.min() == value.max():
            weight.assign(value + 1e-3 * (1 + random.random(value.shape)))
    return model


def probe_file(model: keras.Model, shape: Shape, *, seed: int = 0) -> bytes:
    """Makes a model's int8 file, calibrated with noise; a softmax is taken off, as int8 files have none.

    Args:
        model: best `roughen`ed before.
        shape: (height, width, channels) of an image.
        seed: of the noise.

    Raises:
        ConversionError: the converter refuses the model.
    """
    source = models.without_softmax(model) if models.has_softmax(model) else model
    content = litert.convert(source, "int8", noise(shape, _NOISE_IMAGES, seed), image_shape=shape)
    return litert.diet(content)  # as `export` does: a limit in bytes is one of the file that it writes


def probe_call(content: bytes, shape: Shape, *, threads: int = 1, seed: int = 0) -> TimedCall:
    """Prepares a file to be timed on one image of noise, as `benchmark` does."""
    with temporary_folder() as folder:
        path = Path(folder) / "candidate.tflite"
        path.write_bytes(content)
        return LiteRTSubject("candidate", path, threads).timed(noise(shape, 1, seed))


def noise(shape: Shape, count: int, seed: int) -> np.ndarray[Any, Any]:
    """Draws images of uniform noise, 0 to 1."""
    return np.random.default_rng(seed).random((count, *shape), dtype=np.float32)
