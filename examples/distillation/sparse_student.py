"""A student with zeros in it: the dense model teaches its own pruned copy, and the zeros stay.

    python examples/distillation/sparse_student.py [mnist]

Techniques meet in the optimizer: `distill` trains, `keep_zeros` holds what was pruned.
"""

import sys

import trimtab
from trimtab.pruning import keep_zeros, sparsity_table


def main(name: str = "digits") -> None:
    """Trains a CNN, prunes 90 % of its weights, and lets the dense model teach what is left."""
    data = trimtab.load_data(name)
    epochs, batch_size = (8, 32) if name == "digits" else (2, 128)
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": 3e-3}
    dense = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    trimtab.train(dense, data, **options)
    sparse = trimtab.prune(dense, data, sparsity=0.9, **{**options, "epochs": 2}).model
    report("pruned", sparse, data)
    trimtab.distill(sparse, dense, data, wrap_optimizer=keep_zeros(sparse), **options)
    report("taught", sparse, data)


def report(title: str, model, data) -> None:
    """Shows zeros and accuracy."""
    table = sparsity_table(model)
    zeros = sum(row.zeros for row in table) / sum(row.size for row in table)
    right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
    print(f"{title}: {zeros:.1%} zeros, {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
