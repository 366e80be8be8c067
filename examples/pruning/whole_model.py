"""Prune a whole model: one call, or one optimizer around another.

    python examples/pruning/whole_model.py [mnist]

In TFMOT: `prune_low_magnitude(model)`, `UpdatePruningStep()`, `strip_pruning(model)`.
"""

import math
import sys

import keras

import trimtab
from trimtab.pruning import PolynomialSparsity, PruningOptimizer, sparsity_table


def main(name: str = "digits") -> None:
    """Trains a CNN, prunes a copy by one call, and the model itself by plain `compile` and `fit`."""
    data = trimtab.load_data(name)
    images, labels, tests = data.train.inputs(), data.train.labels, data.test.inputs()
    epochs, batch_size = (8, 32) if name == "digits" else (2, 128)

    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    trimtab.train(model, data, epochs=2 * epochs, batch_size=batch_size, learning_rate=3e-3)
    print(f"dense: {accuracy(model, tests, data.test.labels):.1%} of the test images right")

    # One call: copies the model, prunes it while it trains on, keeps the epoch that validates best.
    result = trimtab.prune(
        model, data, sparsity=0.8, epochs=epochs, batch_size=batch_size, learning_rate=3e-3
    )
    print(
        f"by prune(): {accuracy(result.model, tests, data.test.labels):.1%}, {share(result.model):.1%} zeros"
    )

    # The same by hand: a training step as ever, with the pruning in the optimizer.
    steps = epochs * math.ceil(len(labels) / batch_size)
    schedule = PolynomialSparsity(0.0, 0.8, begin=0, end=2 * steps // 3, frequency=10)
    model.compile(
        PruningOptimizer.for_model(model, keras.optimizers.Adam(3e-3), schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(images, labels, batch_size=batch_size, epochs=epochs, verbose=0)
    for row in sparsity_table(model):
        print(f"  {row.name}/{row.weight}: {row.zeros} of {row.size} are zero")
    print(f"by fit(): {accuracy(model, tests, data.test.labels):.1%}, {share(model):.1%} zeros")


def accuracy(model, images, labels) -> float:
    """Returns the share of images that the model classifies rightly."""
    return float((model.predict(images, verbose=0).argmax(axis=-1) == labels).mean())


def share(model) -> float:
    """Returns the share of zeros in the weights that may be pruned."""
    table = sparsity_table(model)
    return sum(row.zeros for row in table) / sum(row.size for row in table)


if __name__ == "__main__":
    main(*sys.argv[1:])
