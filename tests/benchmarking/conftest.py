"""A trained model for the digits and the files made of it, once for all tests of this room."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from trimtab.data import ImageData


@pytest.fixture(scope="session")
def made(digits: ImageData, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model, the same one with a softmax head, and its float32 and int8 files."""
    import keras

    from trimtab.exporting import export
    from trimtab.zoo import cnn

    folder = tmp_path_factory.mktemp("measured")
    model = cnn(digits.image_shape, digits.classes, filters=(4, 8), dense=16, seed=0)
    weights = model.get_weights()
    weights[-1] += 0.1  # biases differ from layer to layer, or the converter stores equal ones once
    weights[1] += 0.2
    weights[3] += 0.3
    weights[5] += 0.4
    model.set_weights(weights)
    softmax = keras.Sequential([model, keras.layers.Softmax()])
    softmax.build((None, *digits.image_shape))
    files: Mapping[str, Path] = {
        scheme: export(model, folder / f"{scheme}.tflite", scheme, digits, calibration=50).path
        for scheme in ("float32", "int8")
    }
    return SimpleNamespace(model=model, softmax=softmax, folder=folder, files=files)
