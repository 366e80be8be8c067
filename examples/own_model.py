"""From your own Keras model and your own images to a checked int8 file.

    python examples/own_model.py my_model.keras photos/

`photos/` holds `train/<class>/*.jpg` and `test/<class>/*.jpg` (or only `<class>/*.jpg`: then it is split).
The last layer may end in logits or in a softmax; the int8 file gets the logits.
"""

import sys
from pathlib import Path

import trimtab


def main(model_path: str, data_path: str) -> None:
    """Prunes, converts and measures the model; writes the files beside it."""
    model = trimtab.load_model(model_path)
    height, width = model.input_shape[1:3]
    data = trimtab.load_data(data_path, size=(height, width), channels=model.input_shape[-1])

    pruned = trimtab.prune(model, data, sparsity=0.7, epochs=3)
    for layer in pruned.layers:
        print(f"{layer.name}: {layer.zeros / layer.size:.0%} zeros")

    folder = Path(model_path).parent
    float_file = trimtab.export(model, folder / "model.tflite", scheme="float32", data=data)
    int8_file = trimtab.export(
        pruned.model, folder / "model-int8.tflite", scheme="int8", data=data, softmax="strip"
    )

    print(trimtab.benchmark({"float32": float_file, "pruned int8": int8_file}, data))


if __name__ == "__main__":
    main(*sys.argv[1:])
