"""Small nets, trained for a moment, and ways to damage their files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest

from trimtab import litert

if TYPE_CHECKING:
    from trimtab.data import ImageData


def _tiny_net(**options: Any) -> keras.Model:
    """A CNN for the digits with two convolutions, batch norm and dropout."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem", **options),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(16, 3, activation="relu", name="second", **options),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.3, name="drop"),
            layers.Dense(64, activation="relu", name="hidden", **options),
            layers.Dense(10, name="scores", **options),
        ],
        name="tiny",
    )


def _train(model: keras.Model, images: np.ndarray, labels: np.ndarray, softmax: bool = False) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax)
    model.compile(keras.optimizers.Adam(5e-3), loss, jit_compile=False)
    for at in range(0, 960, 64):
        model.train_on_batch(images[at : at + 64], labels[at : at + 64])


@pytest.fixture(scope="session")
def make_net() -> Callable[..., keras.Model]:
    """Makes an untrained net for the digits; options go to its layers with weights."""
    return _tiny_net


@pytest.fixture(scope="session")
def train_a_moment() -> Callable[..., None]:
    """Trains a model for 15 steps: `(model, images, labels, softmax=False)`."""
    return _train


@pytest.fixture(scope="session")
def net(digits: ImageData) -> keras.Model:
    """A CNN with batch norm and dropout, trained for 15 steps."""
    model = _tiny_net()
    _train(model, digits.train.inputs(), digits.train.labels)
    return model


@pytest.fixture(scope="session")
def pictures(digits: ImageData) -> np.ndarray:
    """Training images, to calibrate with."""
    return digits.train.inputs(0, 100)


@pytest.fixture(scope="session")
def proof(digits: ImageData) -> np.ndarray:
    """Validation images, to compare on."""
    return digits.validation.inputs()


@pytest.fixture(scope="session")
def files(net: keras.Model, pictures: np.ndarray) -> dict[str, bytes]:
    """The net in every scheme that the converter makes of an ordinary model."""
    schemes = [name for name, entry in litert.SCHEMES.items() if entry.route == "converter"]
    return {name: litert.convert(net, name, pictures) for name in schemes}


@pytest.fixture(scope="session")
def damage() -> Callable[..., bytes]:
    """Changes the numbers of one constant of a file."""

    def damaged(content: bytes, tensor: str, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
        from ai_edge_litert import schema_py_generated as schema

        candidates = [t for t in litert.inspect(content).tensors if t.constant and tensor in t.name]
        found = max(candidates, key=lambda t: t.elements)
        model = schema.Model.GetRootAs(content, 0)
        old = model.Buffers(found.buffer).DataAsNumpy().tobytes()
        values = np.frombuffer(old, found.dtype).reshape(found.shape)
        new = np.ascontiguousarray(change(values), values.dtype).tobytes()
        assert len(new) == len(old)
        assert content.count(old) == 1
        return content.replace(old, new)

    return damaged
