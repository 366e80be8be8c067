"""Training for the integers of the file in a loop of your own, step by step, on TensorFlow, JAX or torch.

    python examples/quantization/own_loop.py [mnist]

A model with quantizers is an ordinary Keras model: compile it, and train it as you train any other.
"""

import sys

import keras

import trimtab
from trimtab import quantization


def main(name: str = "digits") -> None:
    """Trains a CNN, prepares it for 4-bit weights, trains it on in a loop, and exports it."""
    data = trimtab.load_data(name)
    epochs, batch_size = (8, 32) if name == "digits" else (2, 128)
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(8, 16), dense=32, batch_norm=True)
    trimtab.train(model, data, epochs=epochs, batch_size=batch_size, learning_rate=3e-3)
    print(f"float: {right(model, data):.1%} of the test images right")

    aware = trimtab.quantize_aware(model, data, weights_bits=4, epochs=0).model  # calibrated, not trained
    print(f"int4, not trained: {right(aware, data):.1%} of the test images right")

    aware.compile(keras.optimizers.Adam(5e-4), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for epoch in range(4):
        if epoch == 3:
            quantization.freeze_ranges(aware)  # the last epoch learns on the grid that is shipped
        for images, labels in trimtab.data.batches(data.train, batch_size, seed=epoch):
            loss = aware.train_on_batch(images, labels)
    print(f"int4, trained: {right(aware, data):.1%} of the test images right, loss {float(loss):.3f}")

    artifact = trimtab.export(aware, "own-loop-int4.tflite", scheme="int4", data=data)
    print(
        f"{artifact.bytes:,} bytes; the model's class for {artifact.parity.top1_agreement:.1%} of the images"
    )


def right(model, data) -> float:
    """Returns the share of the test images that a model classifies rightly."""
    return (model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels).mean()


if __name__ == "__main__":
    main(*sys.argv[1:])
