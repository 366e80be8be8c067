"""What is a teacher worth? The same student, trained as long, with one and without.

    python examples/distillation/with_and_without_teacher.py [mnist]

The digits are so easy that the two differ little; run it on `mnist`, or on images of your own.
"""

import sys

import trimtab


def main(name: str = "digits") -> None:
    """Trains a teacher, and two students that begin with the same weights."""
    data = trimtab.load_data(name)
    epochs, batch_size = (10, 32) if name == "digits" else (3, 128)
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": 3e-3}
    teacher = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=64)
    trimtab.train(teacher, data, **options)

    alone, taught = (
        trimtab.zoo.cnn(data.image_shape, data.classes, filters=(8, 16), dense=16, seed=1) for _ in range(2)
    )
    trimtab.train(alone, data, **options)
    result = trimtab.distill(taught, teacher, data, temperature=4, alpha=0.1, **options)
    print(*result.notes, sep="\n")
    exam = result.teachers[0]
    print(f"teacher: {exam.accuracy:.1%} ({exam.low:.1%} to {exam.high:.1%}) of the validation images")

    for title, network in (("teacher", teacher), ("student alone", alone), ("student taught", taught)):
        right = network.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        size = network.count_params()
        print(f"{title}: {size:,} parameters; {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
