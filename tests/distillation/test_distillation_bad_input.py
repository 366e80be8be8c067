"""What cannot be taught is refused in one line, before any training."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from trimtab.data import Augmentation
from trimtab.distillation import distill
from trimtab.errors import ConfigError, DataError, ModelError, TrimtabError


def refusal(kind: type[TrimtabError], student: Any, teacher: Any, data: Any, **options: Any) -> str:
    """The message of what `distill` raises; the student's weights must be as they were."""
    before = [np.array(weight) for weight in student.get_weights()]
    with pytest.raises(kind) as caught:
        distill(student, teacher, data, **options)
    for one, other in zip(before, student.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not student.compiled
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "temperature=0 would leave one class"),
        ({"temperature": -1}, "temperature=-1 must be a number above 0"),
        ({"temperature": "hot"}, "temperature='hot' must be"),
        ({"alpha": 1.5}, "alpha=1.5 must be the share of the labels"),
        ({"alpha": float("nan")}, "alpha=nan must be"),
        ({"alpha": True}, "alpha=True must be"),
        ({"feature_weight": -1}, "feature_weight=-1 must be"),
        ({"attention_weight": float("inf")}, "attention_weight=inf must be"),
        ({"cache": "logit"}, "Did you mean 'logits'?"),
        ({"views": 0}, "views=0 must be a whole number"),
        ({"views": 2.5}, "views=2.5 must be a whole number"),
        ({"features": "relu_1"}, "must be a list of pairs of layer names"),
        ({"features": [("relu_1",)]}, "features holds"),
        ({"attention": ["relu_1"]}, "attention holds 'relu_1'"),
        ({"features": [("relu_1", "relu_3")]}, "has no layer 'relu_3'"),
        ({"attention": [("head", "relu_1")]}, "nowhere to look"),
        ({"epochs": 0}, "epochs=0 must be"),
        ({"optimizer": "adan"}, "Did you mean 'adam'?"),
        ({"trainable": "haed"}, "Did you mean 'head'?"),
        ({"sample_weight": [1, 2, 3]}, r"sample_weight has shape (3,); (96,) was needed"),
        ({"sample_weight": [-1.0] * 96}, "sample_weight goes from -1"),
        ({"sample_weight": [0.0] * 96}, "not all 0"),
        ({"sample_weight": "balanced"}, "sample_weight must be 96 numbers"),
        ({"cache": "logits", "augmentation": Augmentation(flip=True)}, "Use cache='views'"),
    ],
)
def test_arguments(few: Any, net: Any, options: dict[str, Any], message: str) -> None:
    assert message in refusal(ConfigError, net(), net(seed=1, name="teacher"), few, **options)


def test_models_that_do_not_fit(few: Any, net: Any) -> None:
    told = refusal(ModelError, net(), net(classes=7, name="teacher"), few)
    assert "This teacher cannot teach 'student'" in told
    assert "'teacher' has 7 outputs" in told
    large = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    assert "takes inputs of shape (9, 9, 1)" in refusal(ModelError, net(), large, few)
    assert "has 7 outputs" in refusal(ModelError, net(classes=7), net(seed=1), few)
    assert "Received: str" in refusal(ModelError, net(), "teacher.keras", few)
    assert "empty list" in refusal(ConfigError, net(), [], few)
    assert "expects logits" in refusal(ModelError, net(softmax=True), net(seed=1), few, from_logits=True)


def test_a_student_cannot_teach_itself(few: Any, net: Any) -> None:
    student = net()
    assert "shares weights with the student" in refusal(ConfigError, student, student, few)
    image = keras.Input((8, 8, 1))
    around = keras.Model(image, keras.layers.ReLU()(student(image)))
    assert "Give a copy: trimtab.models.clone(teacher)" in refusal(ConfigError, student, [around], few)


def test_a_teacher_that_is_worse_than_chance(few: Any, net: Any, teacher: Any) -> None:
    wrong = net(width=12, normalized=True, seed=7, name="wrong")
    wrong.set_weights(teacher.get_weights())
    head = wrong.get_layer("head")
    head.kernel.assign(np.roll(head.kernel, 1, axis=1))
    head.bias.assign(np.roll(head.bias, 1))
    told = refusal(ModelError, net(), wrong, few)
    assert "'wrong' is worse than chance" in told
    assert "chance 10.0%" in told


def test_a_teacher_without_numbers(few: Any, net: Any) -> None:
    broken = net(seed=1, name="broken")
    broken.get_layer("head").bias.assign(np.full(10, np.inf, np.float32))
    assert "'broken' gives NaN or infinite numbers" in refusal(ModelError, net(), broken, few)


def test_data_that_cannot_judge(few: Any, net: Any) -> None:
    blind = dataclasses.replace(few, validation=few.validation.take([]))
    assert "no validation images" in refusal(DataError, net(), net(seed=1), blind)
