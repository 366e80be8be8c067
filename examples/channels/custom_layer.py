"""Teach a layer of your own: how channels pass through it, and what its config says of their number.

    python examples/channels/custom_layer.py [mnist]

A layer that is not known is never broken: the channels that meet it are locked, with the reason. One function
that follows the channels, and one for the config, free them.
"""

import sys

import keras

import trimtab
from trimtab import channels
from trimtab.testing import check_channels


@keras.saving.register_keras_serializable(package="channel_examples")
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

    def compute_output_shape(self, shape):
        """Returns the shape of what comes out."""
        return (*shape[:-1], self.units)

    def get_config(self):
        """Returns what a copy is made of."""
        return {**super().get_config(), "units": self.units}


def follow(layer, site):
    """Says which axes of which weights the channels stand along."""
    comes = site.input.along(-1)
    site.take(layer.value, 0, comes)
    site.take(layer.gate, 0, comes)
    goes = site.make(layer.value, 1)
    site.out(layer.gate, 1, goes)
    site.scale(layer.scale, 0, goes)
    return site.give({-1: goes})


def resize(layer, new):  # noqa: ARG001 - other layers look at their config
    """Says what changes in the config."""
    return {"units": new.weights["value"][1]}


def main(name: str = "digits") -> None:
    """Prunes a model with such a layer before and after it is known."""
    data = trimtab.load_data(name)
    images = keras.Input(data.image_shape)
    x = keras.layers.Dense(64, activation="relu", name="hidden")(keras.layers.Flatten()(images))
    x = keras.layers.Dense(32, activation="relu", name="after")(Gated(48, name="gated")(x))
    model = keras.Model(images, keras.layers.Dense(data.classes, name="logits")(x))

    for moment in ("before", "after"):
        if moment == "after":
            channels.register(Gated, follow, resize=resize)
        for group in channels.find_groups(model).groups:
            print(f"{moment}: {group.name}: {group.locked or 'free'}")
    smaller = trimtab.prune_channels(model, ratio=0.5, epochs=0, ranking="group").model
    print(f"gated: {model.get_layer('gated').units} -> {smaller.get_layer('gated').units} units")
    found = check_channels(model)  # zeros, removal, saving, a step of training: all is as it must be
    print(f"checked: {found.removed} of {found.units} units went, and the outputs stayed")


if __name__ == "__main__":
    main(*sys.argv[1:])
