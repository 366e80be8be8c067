"""Take channels out of a whole model: one call, one limit, and an ordinary smaller model comes back.

    python examples/channels/whole_model.py [mnist]

Half of the multiply-accumulates may stay; the model as it was teaches what is left of it. The result loads in
plain Keras, and makes a smaller int8 file.
"""

import sys
import tempfile
from pathlib import Path

import keras

import trimtab


def main(name: str = "digits") -> None:
    """Trains a CNN, halves its arithmetic, and compares the two as models and as int8 files."""
    data = trimtab.load_data(name)
    epochs, batch_size = (4, 32) if name == "digits" else (2, 128)
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": 3e-3}
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32, batch_norm=True)
    trimtab.train(model, data, **options)

    result = trimtab.prune_channels(model, data, macs="50%", teacher="itself", **options)
    print(result)  # what went, what was left alone and why
    for group in result.groups:
        print(f"  {group.name} with {', '.join(result.tied[group.name])}: {group.before} -> {group.after}")

    with tempfile.TemporaryDirectory() as folder:
        trimtab.save_model(result.model, Path(folder) / "smaller.keras")
        smaller = keras.saving.load_model(Path(folder) / "smaller.keras")  # Keras alone
        for title, network in (("whole", model), ("smaller", smaller)):
            file = trimtab.export(network, Path(folder) / f"{title}.tflite", "int8", data=data)
            right = network.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
            print(f"{title}: int8 {file.bytes:,} bytes; {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
