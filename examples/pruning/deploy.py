"""Deploy: nothing to strip. The saved model loads in plain Keras, the LiteRT files are checked and weighed.

    python examples/pruning/deploy.py [mnist [FOLDER]]

In TFMOT: `strip_pruning(model)`, save, convert, compress to see a gain at all. The last is still true: zeros
make the compressed file smaller, not the file itself, and not the model faster. int8 does both.
"""

import sys
import zipfile
from pathlib import Path

import keras
import numpy as np

import trimtab


def main(name: str = "digits", folder: str = "deployed") -> None:
    """Trains, prunes, saves, loads with Keras alone, exports, and compares sizes with the dense model's."""
    data = trimtab.load_data(name)
    epochs, batch_size = (8, 32) if name == "digits" else (2, 128)
    dense = trimtab.zoo.cnn(data.image_shape, data.classes)
    trimtab.train(dense, data, epochs=epochs, batch_size=batch_size, learning_rate=3e-3)
    pruned = trimtab.prune(
        dense, data, sparsity=0.8, epochs=epochs, batch_size=batch_size, learning_rate=3e-3
    ).model

    file = Path(folder) / "pruned.keras"
    trimtab.save_model(pruned, file)
    loaded = keras.saving.load_model(file)
    same = all(map(np.array_equal, pruned.get_weights(), loaded.get_weights()))
    needs = b"trimtab" in zipfile.ZipFile(file).read("config.json")
    print(
        f"{file.name}: loaded by Keras, {'the same' if same else 'other'} weights, "
        f"{'needs' if needs else 'no word of'} Trimtab in it"
    )

    sizes = {}
    for title, model in (("dense", dense), ("pruned", pruned)):
        right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        for scheme in ("float32", "int8"):
            artifact = trimtab.export(model, Path(folder) / f"{title}-{scheme}.tflite", scheme, data=data)
            sizes[title, scheme] = artifact.gzip_bytes
            print(
                f"{artifact.path.name}: {artifact.bytes:,} bytes, {artifact.gzip_bytes:,} gzipped, "
                f"{1 - artifact.model_non_zeros / artifact.model_parameters:.1%} zeros; "
                f"the Keras model has {right.mean():.1%} of the test images right"
            )
    for scheme in ("float32", "int8"):
        gain = sizes["dense", "float32"] / sizes["pruned", scheme]
        print(f"pruned {scheme}, gzipped: {gain:.1f} times smaller than dense float32")


if __name__ == "__main__":
    main(*sys.argv[1:])
