"""Decide yourself which channels matter: by a function, or by an importance that is data.

    python examples/channels/own_importance.py [mnist]

An importance gives each unit of a group a score of 0 or more; the larger stay. `group.members` says along
which axis of which weight the units stand.
"""

import dataclasses
import sys

import numpy as np

import trimtab
from trimtab.channel_pruning import ChannelImportance, check_channel_importance


@dataclasses.dataclass(frozen=True)
class Made(ChannelImportance):
    """A channel matters by the norm of the weights that make it."""

    power: float = 2.0

    @property
    def name(self) -> str:
        """What results call it."""
        return "made"

    def score(self, group, memory=None) -> np.ndarray:  # noqa: ARG002 - for importances that need gradients
        """Adds up the weights that make each unit."""
        scores = np.zeros(group.size)
        for member in group.members:
            if member.role == "out":
                weight = np.moveaxis(np.array(member.variable), member.axis, 0)
                sums = (np.abs(weight) ** self.power).reshape(len(weight), -1).sum(axis=1)
                mine = member.units >= 0
                scores += np.bincount(member.units[mine], weights=sums[mine], minlength=group.size)
        return scores


def first_ones(group, weights) -> np.ndarray:  # noqa: ARG001 - the weights may decide
    """Keeps the first channels of each group: a function is an importance too."""
    return np.arange(group.size, 0, -1)


def main(name: str = "digits") -> None:
    """Takes half of the channels out of one trained model, chosen in four ways, without training on."""
    check_channel_importance(Made())  # says in a sentence what is wrong with one of your own
    data = trimtab.load_data(name)
    epochs, batch_size = (6, 32) if name == "digits" else (2, 128)
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    trimtab.train(model, data, epochs=epochs, batch_size=batch_size, learning_rate=3e-3)
    for importance in (Made(), first_ones, "l2", "random"):
        result = trimtab.prune_channels(
            model, data, ratio=0.3, importance=importance, ranking="group", round_to=1, least=4, epochs=0
        )
        right = result.model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        print(f"{result.importance}: {result.ratio:.0%} gone, {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
