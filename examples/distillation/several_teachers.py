"""Several teachers, whose answers are averaged; and several students, for whom they are asked only once.

    python examples/distillation/several_teachers.py [mnist [FOLDER]]

The teachers' answers are small (one number a class and image) and lie in a folder, so that a second student,
or a training that was stopped, need not ask again.
"""

import sys
import time
from pathlib import Path

import trimtab
from trimtab.distillation import cached_logits


def main(name: str = "digits", folder: str = "answers") -> None:
    """Trains two teachers of different kinds, then two students of different width."""
    data = trimtab.load_data(name)
    epochs, batch_size = (6, 32) if name == "digits" else (2, 128)
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": 3e-3}
    teachers = [
        trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32),
        trimtab.zoo.cnn(data.image_shape, data.classes, filters=(32,), dense=64, batch_norm=True),
    ]
    for teacher in teachers:
        trimtab.train(teacher, data, **options)

    for width in (8, 12):
        student = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(width, 2 * width), dense=16)
        result = trimtab.distill(student, teachers, data, cache_folder=folder, **options)
        right = student.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        files = len(list(Path(folder).iterdir()))
        print(
            f"width {width}: {len(result.teachers)} teachers, {files} files of answers; "
            f"{right.mean():.1%} of the test images right"
        )

    # The answers by themselves, for a loop of your own: what they agree on, softened and averaged.
    began = time.perf_counter()
    logits = cached_logits(teachers, data, folder=folder)
    agree = (logits.argmax(axis=-1) == data.train.labels).mean()
    print(f"{logits.shape} logits read in {time.perf_counter() - began:.1f} s; {agree:.1%} match the label")


if __name__ == "__main__":
    main(*sys.argv[1:])
