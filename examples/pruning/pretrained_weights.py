"""Prune from pretrained weights: load them first, then prune. A model pruned from scratch does worse.

    python examples/pruning/pretrained_weights.py [mnist]

In TFMOT: `model.load_weights(...)` before `prune_low_magnitude(model)`. Here the weights may be loaded at any
time before training, also after the optimizer was made, for the model never changes.
"""

import math
import sys
import tempfile
from pathlib import Path

import keras

import trimtab
from trimtab.pruning import PolynomialSparsity, PruningOptimizer, sparsity_table


def main(name: str = "digits") -> None:
    """Prunes 80 % of two equal models with equal effort: one starts from saved weights, one from scratch."""
    data = trimtab.load_data(name)
    epochs, batch_size = (4, 32) if name == "digits" else (2, 128)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "pretrained.weights.h5"
        trained = network(data)
        trimtab.train(trained, data, epochs=2 * epochs, batch_size=batch_size, learning_rate=3e-3)
        trained.save_weights(weights)

        pretrained = network(data)
        pretrained.load_weights(weights)
    scratch = network(data)

    for start, model in (("pretrained", pretrained), ("from scratch", scratch)):
        prune(model, data, epochs, batch_size)
        table = sparsity_table(model)
        zeros = sum(row.zeros for row in table) / sum(row.size for row in table)
        right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        print(f"{start}: {zeros:.1%} zeros, {right.mean():.1%} of the test images right")


def network(data):
    """Returns a fresh CNN, each time with the same first weights."""
    return trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32, seed=0)


def prune(model, data, epochs: int, batch_size: int) -> None:
    """Prunes a model while it trains: the sparsity climbs over the first two thirds of the steps."""
    steps = epochs * math.ceil(len(data.train) / batch_size)
    schedule = PolynomialSparsity(0.0, 0.8, begin=0, end=2 * steps // 3, frequency=10)
    optimizer = PruningOptimizer.for_model(model, keras.optimizers.Adam(3e-3), schedule)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data.train.inputs(), data.train.labels, batch_size=batch_size, epochs=epochs, verbose=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
