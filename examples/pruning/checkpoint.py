"""Save and load the optimizer's state in a checkpoint, in the middle of the schedule, and go on.

    python examples/pruning/checkpoint.py [mnist]

In TFMOT: `model.save(file, include_optimizer=True)`, and `prune_scope()` to load. Here masks and steps are
optimizer state, which a `.keras` file holds anyhow; a training that goes on ends with the very bits of one
that was never stopped.
"""

import math
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

import trimtab
from trimtab.pruning import PolynomialSparsity, PruningOptimizer, sparsity_table


def main(name: str = "digits") -> None:
    """Trains in one go; in two halves with a checkpoint between; and in two halves that keep only weights."""
    data = trimtab.load_data(name)
    epochs, batch_size = (10, 32) if name == "digits" else (2, 128)

    whole = network(data, epochs, batch_size)
    fit(whole, data, epochs, batch_size)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.keras"
        half = network(data, epochs, batch_size)
        fit(half, data, epochs // 2, batch_size, keras.callbacks.ModelCheckpoint(file))
        print(f"checkpoint after {epochs // 2} of {epochs} epochs: {share(half):.1%} zeros")
        resumed = keras.saving.load_model(file)  # masks, steps and Adam's moments come with it
    fit(resumed, data, epochs - epochs // 2, batch_size)

    forgetful = network(data, epochs, batch_size)
    forgetful.set_weights(half.get_weights())  # no optimizer state: the schedule begins once more
    fit(forgetful, data, epochs - epochs // 2, batch_size)

    for title, model in (("in one go", whole), ("resumed", resumed), ("weights only", forgetful)):
        right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        pairs = zip(whole.get_weights(), model.get_weights(), strict=True)
        same = "the same bits" if all(np.array_equal(one, other) for one, other in pairs) else "other weights"
        print(f"{title}: {share(model):.1%} zeros, {right.mean():.1%} of the test images right, {same}")


def network(data, epochs: int, batch_size: int):
    """Returns a CNN that is to be pruned to 80 %, each time with the same first weights."""
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32, seed=0)
    steps = epochs * math.ceil(len(data.train) / batch_size)
    schedule = PolynomialSparsity(0.0, 0.8, begin=0, end=3 * steps // 4, frequency=10)
    optimizer = PruningOptimizer.for_model(model, keras.optimizers.Adam(3e-3), schedule)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fit(model, data, epochs: int, batch_size: int, *callbacks) -> None:
    """Trains on the images in their order, so that nothing depends on chance."""
    options = {"batch_size": batch_size, "epochs": epochs, "shuffle": False, "verbose": 0}
    model.fit(data.train.inputs(), data.train.labels, callbacks=list(callbacks), **options)


def share(model) -> float:
    """Returns the share of zeros in the weights that may be pruned."""
    table = sparsity_table(model)
    return sum(row.zeros for row in table) / sum(row.size for row in table)


if __name__ == "__main__":
    main(*sys.argv[1:])
