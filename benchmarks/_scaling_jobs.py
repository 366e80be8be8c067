"""What the workers of `scaling.py` are given to do."""

from __future__ import annotations

import time
from typing import Any

from trimtab.workers import Context

__all__ = ["sleep", "train"]


def sleep(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Needs no processor: the time of a job, its three reports, and a file of a small model's size."""
    for step in range(3):
        time.sleep(arguments["seconds"] / 3)
        context.report({"step": step, "accuracy": 0.5})
    (context.out / "model.bin").write_bytes(bytes(20_000))
    return {"accuracy": arguments["values"]["dropout"]}


def train(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
    """Trains a small convolutional net on the images that were shared."""
    import keras

    from trimtab.data import ImageData, Split
    from trimtab.training import train
    from trimtab.zoo import cnn

    keras.utils.clear_session()
    values, shared = arguments["values"], context.shared
    learned, judged = (
        Split(shared[f"{part}-images"], shared[f"{part}-labels"]) for part in ("train", "judge")
    )
    classes = tuple(str(number) for number in range(arguments["classes"]))
    data = ImageData("shared", learned, judged, judged, classes, "the workers", "")
    model = cnn(data.image_shape, data.classes, filters=(8, 16), dense=32, dropout=values["dropout"])
    done = train(model, data, epochs=arguments["epochs"], learning_rate=values["rate"], batch_size=128)
    model.save(context.out / "model.keras")
    return {"accuracy": done.history.best.val_accuracy}
