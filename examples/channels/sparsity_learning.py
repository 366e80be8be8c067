"""Sparsity learning: a group lasso pulls whole channels towards zero before any is removed.

    python examples/channels/sparsity_learning.py [mnist]

`prune_channels(sparsity_learning="bn")` does it all in one call (network slimming). Here by hand: the lasso
lives in the optimizer, and works with plain `fit`.
"""

import sys

import keras
import numpy as np

import trimtab
from trimtab.channel_pruning import GroupLasso


def main(name: str = "digits") -> None:
    """Trains one model with and one without the pull, then takes half of the channels out of each."""
    data = trimtab.load_data(name)
    epochs, batch_size = (8, 32) if name == "digits" else (3, 128)
    for title, strength in (("plain", 0.0), ("pulled", 3e-2)):
        model = trimtab.zoo.cnn(
            data.image_shape, data.classes, filters=(16, 32), dense=32, batch_norm=True, seed=0
        )
        optimizer = GroupLasso.for_model(model, keras.optimizers.Adam(3e-3), "bn", strength)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(data.train.inputs(), data.train.labels, batch_size=batch_size, epochs=epochs, verbose=0)
        scales = np.concatenate([np.array(layer.gamma) for layer in model.layers if hasattr(layer, "gamma")])
        smaller = trimtab.prune_channels(
            model, data, ratio=0.5, importance="bn_scale", round_to=1, least=4, epochs=0
        ).model
        right = smaller.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        print(
            f"{title}: smaller half of the scales {np.sort(np.abs(scales))[: len(scales) // 2].mean():.3f} "
            f"on average; after the removal {right.mean():.1%} of the test images right"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
