"""A loop of your own that prunes while it trains: score, choose, remove, go on with the optimizer's state.

    KERAS_BACKEND=jax python examples/channels/custom_loop.py [mnist]

`carry_optimizer` gives the smaller model an optimizer that goes on where the old one stood: same step count,
same momentum and moments, of the channels that stayed.
"""

import sys

import keras
import numpy as np

import trimtab
from trimtab.channel_pruning import carry_optimizer, recalibrate_batch_norm, scores, select
from trimtab.channels import find_groups, remove


def main(name: str = "digits") -> None:
    """Trains a CNN and takes a quarter of its channels out at two moments."""
    data = trimtab.load_data(name)
    images, labels = data.train.inputs(), data.train.labels
    epochs, batch_size = 6, 32 if name == "digits" else 128
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32, batch_norm=True)
    optimizer = keras.optimizers.Adam(3e-3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        if epoch in (2, 4):
            model, optimizer = without_a_quarter(model, optimizer, data)
            model.compile(optimizer, loss)
            print(f"epoch {epoch}: {model.count_params():,} parameters, step {int(optimizer.iterations)}")
        order = rng.permutation(len(labels))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            part = order[start : start + batch_size]
            model.train_on_batch(images[part], labels[part])
    right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
    backend = keras.backend.backend()
    print(f"{backend}: {int(optimizer.iterations)} steps; {right.mean():.1%} of the test images right")


def without_a_quarter(model, optimizer, data):
    """Returns the model without a quarter of its channels, and an optimizer that goes on."""
    graph = find_groups(model)
    keep = select(graph, scores(graph, "l2"), 0.25)
    smaller = remove(graph, keep)
    recalibrate_batch_norm(smaller, data)
    return smaller, carry_optimizer(optimizer, model, smaller, keep)


if __name__ == "__main__":
    main(*sys.argv[1:])
