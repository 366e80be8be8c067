"""Learn from the inside of a teacher: its feature maps, or where it looks.

    python examples/distillation/features.py [mnist]

Pairs of layers, the student's and the teacher's. Where channels differ, a projection is learned and thrown
away afterwards: the student stays the model that it was.
"""

import sys

import trimtab


def main(name: str = "digits") -> None:
    """Teaches the same student by answers alone, by feature maps too, and by maps of attention too."""
    data = trimtab.load_data(name)
    epochs, batch_size = (8, 32) if name == "digits" else (2, 128)
    options = {"epochs": epochs, "batch_size": batch_size, "learning_rate": 3e-3}
    teacher = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    trimtab.train(teacher, data, **options)

    ways = {
        "answers": {},
        "feature maps": {"features": [("conv_2", "conv_2")], "feature_weight": 1.0},
        "attention": {"attention": [("conv_1", "conv_1"), ("conv_2", "conv_2")]},
    }
    for way, pairs in ways.items():
        student = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(8, 16), dense=16, seed=1)
        before = student.count_params()
        result = trimtab.distill(student, teacher, data, **pairs, **options)
        right = student.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
        same = "as before" if student.count_params() == before else "changed"
        print(
            f"{way}: {student.count_params():,} parameters, {same}; kept {result.cache_bytes:,} bytes; "
            f"{right.mean():.1%} of the test images right"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
