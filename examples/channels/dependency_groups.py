"""See which channels live and die together, and take some out by hand.

    python examples/channels/dependency_groups.py [mnist]

In a residual network the layers whose outputs are added can only lose the same channels. `find_groups` finds
that out from the graph; `remove` makes the model without the channels that you name.
"""

import sys

import keras
import numpy as np

import trimtab
from trimtab.channel_pruning import explain
from trimtab.channels import find_groups, remove


def main(name: str = "digits") -> None:
    """Lists the groups of a ResNet-8, empties half of one, and shows that it leaves no trace."""
    data = trimtab.load_data(name)
    model = trimtab.zoo.resnet(data.image_shape, data.classes, depth=8, width=16)
    graph = find_groups(model)
    for group in graph.groups:
        print(f"{group.name} ({group.size} channels): {', '.join(group.layers)}; {group.locked or 'free'}")
    print(explain(model))  # what fewer channels would save, group by group

    # Channels of zeros, in every weight that makes them, scales them or takes them in ...
    group = graph.groups[0]
    goes = np.arange(0, group.size, 2)
    for member in group.members:
        value = np.moveaxis(np.array(keras.ops.convert_to_numpy(member.variable)), member.axis, 0)
        value[np.isin(member.units, goes)] = 0
        member.variable.assign(np.moveaxis(value, 0, member.axis))
    # ... can go, and the outputs stay what they were.
    stays = np.setdiff1d(np.arange(group.size), goes)
    smaller = remove(model, {group.name: stays})
    images = data.test.inputs(0, 64)
    before, after = (each.predict(images, verbose=0) for each in (model, smaller))
    apart = np.abs(before - after).max() / np.abs(before).max()
    print(f"{model.count_params():,} -> {smaller.count_params():,} parameters")
    print(f"the outputs differ by {'less' if apart < 1e-5 else 'more'} than 1e-5 of the largest")


if __name__ == "__main__":
    main(*sys.argv[1:])
