"""Models whose weights hide no mistake, folded and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from trimtab.quantization import Folded, fold


def _values(outputs: Any) -> list[np.ndarray]:
    return [np.asarray(keras.ops.convert_to_numpy(one)) for one in keras.tree.flatten(outputs)]


def stir(model: keras.Model, seed: int = 0) -> keras.Model:
    """Makes all weights unequal, so that a channel that is mixed up with another one shows."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if not weight.dtype.startswith("float"):
            continue
        if "variance" in weight.name:
            weight.assign(random.uniform(0.5, 2.0, shape))
        elif weight.name == "gamma":
            weight.assign(random.uniform(0.5, 1.5, shape) * random.choice([-1, 1, 1], shape))
        else:
            fan_in = int(np.prod(shape[:-2] if "depthwise" in weight.path else shape[:-1]))
            weight.assign(random.normal(0, 0.3 if len(shape) < 2 else (2 / fan_in) ** 0.5, shape))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


@pytest.fixture
def same_outputs() -> Callable[..., Folded]:
    """Stirs a model, folds it, and demands equal outputs to 1e-5 of the largest."""

    def checked(model: keras.Model, *, brightest: float = 1.0, seed: int = 0, **options: Any) -> Folded:
        stir(model, seed)
        random = np.random.default_rng(seed)
        inputs = [
            random.uniform(
                -0.2 * brightest, brightest, (3, *(size or 8 for size in tensor.shape[1:]))
            ).astype("float32")
            for tensor in model.inputs
        ]
        before = _values(model(inputs if len(inputs) > 1 else inputs[0], training=False))
        weights = [np.array(weight) for weight in model.weights]
        folded = fold(model, **options)
        after = _values(folded.model(inputs if len(inputs) > 1 else inputs[0], training=False))
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            assert one.shape == other.shape
            assert np.ptp(one, axis=0).max() > 1e-3 * np.abs(one).max()  # the images differ in it
            assert np.abs(one - other).max() <= 1e-5 * np.abs(one).max()
        for weight, value in zip(model.weights, weights, strict=True):
            np.testing.assert_array_equal(weight, value)  # the given model stays as it is
        names = [operation.name for operation in folded.model.operations]
        inputs_of = [
            layer.name for layer in folded.model.layers if isinstance(layer, keras.layers.InputLayer)
        ]
        assert set(folded.origin) == set(names) - set(inputs_of)
        return folded

    return checked


@pytest.fixture
def kinds() -> Callable[[keras.Model], list[str]]:
    """Names the classes of a model's layers and operators, without its inputs."""
    return lambda model: [
        type(operation).__name__
        for operation in model.operations
        if not isinstance(operation, keras.layers.InputLayer)
    ]


@pytest.fixture(scope="session")
def wrong_steps() -> Callable[[keras.Model, bytes, np.ndarray], np.ndarray]:
    """Counts by how many integers each output of a file differs from what an aware model says."""

    def counted(aware: keras.Model, content: bytes, images: np.ndarray) -> np.ndarray:
        from trimtab.litert import LiteRTModel

        file = LiteRTModel(content)
        wanted = np.asarray(keras.ops.convert_to_numpy(aware(images, training=False)))
        return np.rint(np.abs(file(images) - wanted) / file.output_quantization[0])

    return counted
