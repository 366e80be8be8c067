"""The smallest download: prune, then cluster, then train for integers, each keeping what the others made.

    python examples/quantization/cluster_after_prune.py [mnist]

Zeros and shared values make none of the files smaller; gzip does, and that is what is downloaded.
"""

import sys

import numpy as np

import trimtab


def main(name: str = "digits") -> None:
    """Trains a CNN, and weighs its int8 file after each technique."""
    data = trimtab.load_data(name)
    epochs, batch_size = (8, 32) if name == "digits" else (2, 128)
    options = {"epochs": epochs // 2, "batch_size": batch_size, "learning_rate": 1e-3}
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    trimtab.train(model, data, epochs=epochs, batch_size=batch_size, learning_rate=3e-3)
    weigh("dense", model, data)
    pruned = trimtab.prune(model, data, sparsity=0.7, **options).model
    weigh("pruned", pruned, data)
    both = trimtab.cluster(pruned, data, clusters=16, **options).model
    weigh("pruned, clustered", both, data)
    aware = trimtab.quantize_aware(both, data, **{**options, "learning_rate": 1e-4}).model
    weigh("pruned, clustered, trained for int8", aware, data)


def weigh(title: str, model, data) -> None:
    """Exports a model to int8, and shows what its kernels hold and what its file weighs."""
    kernel = np.asarray(model.get_layer("dense").get_weights()[0])
    artifact = trimtab.export(model, "model.tflite", scheme="int8", data=data)
    zeros, values = (kernel == 0).mean(), len(np.unique(kernel))
    right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
    print(
        f"{title}: {artifact.bytes:,} bytes, {artifact.gzip_bytes:,} gzipped; {zeros:.0%} zeros and "
        f"{values:,} values in 'dense'; {right.mean():.1%} of the test images right"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
