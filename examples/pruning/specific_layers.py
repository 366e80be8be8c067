"""Prune specific layers only: here all Dense layers, named by their class.

    python examples/pruning/specific_layers.py [mnist]

In TFMOT: `clone_model(model, clone_function=...)` with a function that wraps each Dense layer. Here you say
which layers: by class, by name, or by any question that a layer can answer.
"""

import sys

import keras

import trimtab
from trimtab.pruning import sparsity_table


def main(name: str = "digits") -> None:
    """Prunes a trained CNN in four ways that differ only in where."""
    data = trimtab.load_data(name)
    epochs, batch_size = (5, 32) if name == "digits" else (1, 128)
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    trimtab.train(model, data, epochs=2 * epochs, batch_size=batch_size, learning_rate=3e-3)

    ways = {
        "all Dense layers": {"layers": keras.layers.Dense},
        "by name": {"layers": ["conv_2", "dense"]},
        "layers with over 1,000 weights": {"layers": lambda layer: layer.count_params() > 1000},
        "all but the first and the last": {"skip_ends": True},
    }
    for way, where in ways.items():
        result = trimtab.prune(
            model, data, sparsity=0.8, epochs=epochs, batch_size=batch_size, learning_rate=3e-3, **where
        )
        zeros = ", ".join(f"{row.name} {row.sparsity:.0%}" for row in sparsity_table(result.model))
        right = result.model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        print(f"{way}: {zeros}; {right.mean():.1%} of the test images right")
        for layer, reason in result.skipped:
            print(f"  left alone: {layer} ({reason})")


if __name__ == "__main__":
    main(*sys.argv[1:])
