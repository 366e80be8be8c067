"""Training with the normal `fit` and callbacks: early stopping, a falling learning rate, checkpoints, a log.

    python examples/pruning/fit_with_callbacks.py [mnist]

In TFMOT: `callbacks=[UpdatePruningStep(), ...]`, an error without it. Here no callback is needed; those you
like work as ever. One that chooses the best epoch must begin where the final sparsity is reached.
"""

import csv
import math
import sys
import tempfile
from pathlib import Path

import keras

import trimtab
from trimtab.pruning import PolynomialSparsity, PruningOptimizer, sparsity_table


def main(name: str = "digits") -> None:
    """Trains and prunes with four of Keras' own callbacks."""
    data = trimtab.load_data(name)
    epochs, batch_size = (12, 32) if name == "digits" else (3, 128)
    climb = epochs // 2  # epochs until the final sparsity
    steps = math.ceil(len(data.train) / batch_size)
    schedule = PolynomialSparsity(0.0, 0.8, begin=0, end=climb * steps, frequency=10)

    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    model.compile(
        PruningOptimizer.for_model(model, keras.optimizers.Adam(3e-3), schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.csv"
        history = model.fit(
            *(data.train.inputs(), data.train.labels),
            validation_data=(data.validation.inputs(), data.validation.labels),
            batch_size=batch_size,
            epochs=epochs,
            verbose=0,
            callbacks=[
                keras.callbacks.EarlyStopping(
                    "val_loss", patience=3, start_from_epoch=climb, restore_best_weights=True
                ),
                keras.callbacks.LearningRateScheduler(slower),
                keras.callbacks.ModelCheckpoint(Path(folder) / "last.keras"),
                keras.callbacks.CSVLogger(log),
            ],
        )
        with log.open() as lines:
            rows = list(csv.DictReader(lines))
    last = rows[-1]
    print(f"{len(rows)} epochs, the last with learning rate {float(last['learning_rate']):.5f}")
    print(f"validation: {max(history.history['val_accuracy']):.1%} at best")
    _, right = model.evaluate(data.test.inputs(), data.test.labels, verbose=0)
    zeros = ", ".join(f"{row.name} {row.sparsity:.0%}" for row in sparsity_table(model))
    print(f"zeros: {zeros}; {right:.1%} of the test images right")


def slower(epoch: int, rate: float) -> float:
    """Returns the learning rate of an epoch: a tenth less than in the one before."""
    return rate * 0.9 if epoch else rate


if __name__ == "__main__":
    main(*sys.argv[1:])
