"""A custom layer says which of its weights may be pruned: by a method, or by a registered function.

    python examples/pruning/custom_layer.py [mnist]

In TFMOT: `class MyLayer(Dense, tfmot.sparsity.keras.PrunableLayer)` with `get_prunable_weights`. The method
counts here too, without any base class. Where the class is not yours to change, register a function on it.
"""

import sys

import keras

import trimtab
from trimtab.pruning import prunable_weights, sparsity_table


@keras.saving.register_keras_serializable(package="examples")
class Gated(keras.layers.Layer):
    """A gated linear unit: one half of it decides how much of the other half passes."""

    def __init__(self, units: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape) -> None:
        """Makes the weights."""
        self.value = self.add_weight(shape=(shape[-1], self.units), name="value")
        self.gate = self.add_weight(shape=(shape[-1], self.units), name="gate")
        self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")

    def call(self, x):
        """Returns what passes the gate."""
        return self.scale * (x @ self.value) * keras.ops.sigmoid(x @ self.gate)

    def get_config(self):
        """Returns what a copy is made of."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="examples")
class Careful(Gated):
    """Lets its values be pruned, but not its gate. The scale is never offered."""

    def get_prunable_weights(self):
        """Returns the weights that may be pruned."""
        return [self.value]


@prunable_weights.register(Gated)  # and for each subclass, unless it says otherwise
def _(layer):
    return (layer.value, layer.gate)


def main(name: str = "digits") -> None:
    """Prunes a model with both layers to 80 %."""
    data = trimtab.load_data(name)
    epochs, batch_size = (6, 32) if name == "digits" else (2, 128)
    images = keras.Input(data.image_shape)
    x = Gated(64, name="gated")(keras.layers.Flatten()(images))
    x = Careful(32, name="careful")(x)
    model = keras.Model(images, keras.layers.Dense(data.classes, name="logits")(x))

    trimtab.train(model, data, epochs=2 * epochs, batch_size=batch_size, learning_rate=3e-3)
    pruned = trimtab.prune(
        model, data, sparsity=0.8, epochs=epochs, batch_size=batch_size, learning_rate=3e-3
    ).model
    for row in sparsity_table(pruned):
        print(f"{row.name}/{row.weight}: {row.sparsity:.0%} zeros")
    for title, network in (("dense", model), ("pruned", pruned)):
        right = network.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        print(f"{title}: {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
