"""A teacher's logits that came from elsewhere teach as the teacher itself does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trimtab import distill, train, zoo
from trimtab.data import Augmentation
from trimtab.distillation import cached_logits
from trimtab.distillation._given_logits import given_logits
from trimtab.errors import ConfigError


def student(digits: Any) -> Any:
    return zoo.cnn(digits.image_shape, digits.classes, filters=(4, 8), dense=0, seed=1)


@pytest.mark.parametrize("augmentation", [None, Augmentation(shift=1)], ids=["as-they-are", "augmented"])
def test_the_weights_are_those_that_the_teacher_gives(digits: Any, small_cnn: Any, augmentation: Any) -> None:
    views = 2 if augmentation else 1
    told = {"epochs": 2, "augmentation": augmentation, "seed": 3}
    train(small_cnn, digits, epochs=2, batch_size=32)
    wanted = student(digits)
    distill(wanted, small_cnn, digits, views=views, **told)
    logits = np.stack(
        [
            cached_logits(small_cnn, digits, augmentation=augmentation, view=view, seed=3)
            for view in range(views)
        ]
    )
    taught = student(digits)
    train(taught, digits, objective=given_logits(taught, logits, digits), **told)
    for one, other in zip(taught.weights, wanted.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_logits_of_other_images_are_refused(digits: Any, small_cnn: Any) -> None:
    with pytest.raises(ConfigError, match="a row for each training image"):
        given_logits(small_cnn, np.zeros((1, 7, 10), np.float32), digits)
