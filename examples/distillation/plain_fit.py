"""Distil in a training of your own: the teacher's logits as an array, the loss for plain `compile` and `fit`.

    KERAS_BACKEND=torch python examples/distillation/plain_fit.py [mnist]

The targets are one row an image: the label, and after it the teacher's logits.
"""

import sys

import keras
import numpy as np

import trimtab
from trimtab.distillation import DistillationLoss, cached_logits


def main(name: str = "digits") -> None:
    """Teaches a Sequential student by `fit`."""
    data = trimtab.load_data(name)
    epochs, batch_size = (8, 32) if name == "digits" else (3, 128)
    teacher = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    trimtab.train(teacher, data, epochs=epochs, batch_size=batch_size, learning_rate=3e-3)

    layers = keras.layers
    student = keras.Sequential(
        [
            keras.Input(data.image_shape),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(data.classes),
        ]
    )
    logits = cached_logits(teacher, data)  # float32 (images, classes), in the order of data.train
    targets = np.concatenate([data.train.labels[:, None].astype("float32"), logits], axis=1)
    loss = DistillationLoss(data.classes, temperature=4.0, alpha=0.1, from_logits=True)
    student.compile(keras.optimizers.Adam(3e-3), loss)
    student.fit(data.train.inputs(), targets, batch_size=batch_size, epochs=epochs, verbose=0)

    for title, network in (("teacher", teacher), ("student", student)):
        right = network.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        size = network.count_params()
        print(f"{title}: {size:,} parameters; {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
