"""Mixed precision: 4-bit weights but for the few layers that cannot do without more.

    python examples/quantization/mixed_precision.py [mnist]

Which layers these are is found on validation images; the test images judge the files.
"""

import sys

import trimtab
from trimtab import quantization


def main(name: str = "digits") -> None:
    """Trains a depthwise net, looks at its layers one by one, and exports it with some kept float."""
    data = trimtab.load_data(name)
    epochs, batch_size = (20, 32) if name == "digits" else (3, 128)
    model = trimtab.zoo.ds_cnn(data.image_shape, data.classes, filters=(16, 32), depth=1)
    trimtab.train(model, data, epochs=epochs, batch_size=batch_size, learning_rate=5e-3)

    found = quantization.sensitivity(model, data, "int4")
    print("layers, the one that hurts most first:", ", ".join(layer.name for layer in found.ranked[:3]))
    mixed = quantization.mixed(model, data, "int4", max_drop=0.01, sensitivity=found)
    print(f"kept float: {', '.join(mixed.keep_float) or 'none'} ({len(mixed.tried)} choices were measured)")

    files = {"float32": trimtab.export(model, "float32.tflite", data=data)}
    for title, layers in (("int4", ()), ("mixed", mixed.keep_float)):
        files[title] = trimtab.export(model, f"{title}.tflite", "int4", data, keep_float=layers)
    result = trimtab.benchmark(files, data, latency=False, memory=False)
    for row in result.rows:
        measured = {key: measurement.value for key, measurement in row.measurements.items()}
        print(
            f"{row.name}: {measured['bytes']:,.0f} bytes, {measured['accuracy']:.1%} of the test images right"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
