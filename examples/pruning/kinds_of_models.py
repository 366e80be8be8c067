"""Functional, Sequential, subclassed and nested models are all pruned in the same way.

    python examples/pruning/kinds_of_models.py [mnist]

In TFMOT: Functional and Sequential only, and their layers turn into wrappers with other names. Here a model
keeps its class, its layers and their names.
"""

import math
import sys

import keras

import trimtab
from trimtab.pruning import PolynomialSparsity, PruningOptimizer, sparsity_table

L = keras.layers


class Subclassed(keras.Model):
    """The same network as a class of its own."""

    def __init__(self, classes: int) -> None:
        super().__init__(name="subclassed")
        self.convolution = L.Conv2D(16, 3, activation="relu", name="convolution")
        self.flatten = L.Flatten(name="flatten")
        self.logits = L.Dense(classes, name="logits")

    def call(self, images):
        """Returns the logits."""
        return self.logits(self.flatten(self.convolution(images)))


def sequential(shape, classes):
    """The network as a list of layers."""
    layers = [
        L.Conv2D(16, 3, activation="relu", name="convolution"),
        L.Flatten(),
        L.Dense(classes, name="logits"),
    ]
    return keras.Sequential([keras.Input(shape), *layers], name="sequential")


def functional(shape, classes):
    """The network as a graph."""
    images = keras.Input(shape)
    x = L.Flatten()(L.Conv2D(16, 3, activation="relu", name="convolution")(images))
    return keras.Model(images, L.Dense(classes, name="logits")(x), name="functional")


def nested(shape, classes):
    """The network as a model inside a model."""
    inner = keras.Sequential(
        [keras.Input(shape), L.Conv2D(16, 3, activation="relu", name="convolution"), L.Flatten()],
        name="inner",
    )
    images = keras.Input(shape)
    return keras.Model(images, L.Dense(classes, name="logits")(inner(images)), name="nested")


def subclassed(shape, classes):
    """The network as a class of its own, built by a first call."""
    model = Subclassed(classes)
    model(keras.ops.zeros((1, *shape)))
    return model


def main(name: str = "digits") -> None:
    """Prunes 75 % of each kind of model while it trains."""
    data = trimtab.load_data(name)
    epochs, batch_size = (6, 32) if name == "digits" else (1, 128)
    steps = epochs * math.ceil(len(data.train) / batch_size)
    schedule = PolynomialSparsity(0.0, 0.75, begin=0, end=2 * steps // 3, frequency=10)
    for make in (sequential, functional, nested, subclassed):
        keras.utils.set_random_seed(0)
        model = make(data.image_shape, data.classes)
        before = [weight.path for weight in model.weights]
        optimizer = PruningOptimizer.for_model(model, keras.optimizers.Adam(3e-3), schedule)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(data.train.inputs(), data.train.labels, batch_size=batch_size, epochs=epochs, verbose=0)
        same = "names as before" if [weight.path for weight in model.weights] == before else "other names"
        zeros = ", ".join(f"{row.name} {row.sparsity:.0%}" for row in sparsity_table(model))
        right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        print(f"{model.name}: {zeros}, {same}; {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
