"""Summaries for TensorBoard: sparsity, asked sparsity and threshold of each weight, while it trains.

    python examples/pruning/tensorboard_summaries.py [mnist [FOLDER]]
    tensorboard --logdir logs        # pip install tensorboard

In TFMOT: `callbacks=[UpdatePruningStep(), PruningSummaries(log_dir=...)]`.
"""

import math
import sys
from pathlib import Path

import keras
import tensorflow as tf

import trimtab
from trimtab.pruning import PolynomialSparsity, PruningOptimizer, PruningSummaries


def main(name: str = "digits", folder: str = "logs") -> None:
    """Prunes a CNN while it trains, writes a summary every 20 batches, and reads them back."""
    data = trimtab.load_data(name)
    epochs, batch_size = (8, 32) if name == "digits" else (2, 128)
    steps = epochs * math.ceil(len(data.train) / batch_size)
    schedule = PolynomialSparsity(0.0, 0.8, begin=0, end=2 * steps // 3, frequency=10)
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    optimizer = PruningOptimizer.for_model(model, keras.optimizers.Adam(3e-3), schedule)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(
        *(data.train.inputs(), data.train.labels),
        batch_size=batch_size,
        epochs=epochs,
        verbose=0,
        callbacks=[PruningSummaries(folder, every=20)],
    )

    # TensorBoard draws these as curves.
    newest = max(Path(folder, "pruning").glob("events.out.tfevents.*"))
    for record in tf.data.TFRecordDataset(str(newest)).as_numpy_iterator():
        event = tf.compat.v1.Event.FromString(record)
        values = {value.tag: value.simple_value for value in event.summary.value}
        if values:
            print(
                f"step {event.step}: {values['sparsity/total']:.1%} zeros, "
                f"{values['asked/total']:.1%} asked, "
                f"threshold of conv_1 {values['threshold/conv_1/kernel']:.4f}"
            )
    right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
    print(f"{len(values) // 3} weights in {newest}; {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
