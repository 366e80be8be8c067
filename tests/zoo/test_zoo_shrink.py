"""`shrink`: the same architecture, narrower."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from trimtab.errors import ConfigError, ModelError
from trimtab.zoo import cnn, resnet, shrink


def test_half_a_resnet_is_the_resnet_of_half_the_width() -> None:
    wide, narrow = resnet((8, 8, 3), 5, width=32, seed=0), resnet((8, 8, 3), 5, width=16, seed=3)
    half = shrink(wide, 0.5, seed=3)
    assert half.name == wide.name
    for one, other in zip(half.weights, narrow.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_widths_are_rounded_and_have_a_floor() -> None:
    model = cnn((16, 16, 1), 10, filters=(40, 4), dense=20)

    def sizes(width: float, **options: int) -> list[int]:
        smaller = shrink(model, width, **options)
        return [smaller.get_layer(n).kernel.shape[-1] for n in ("conv_1", "conv_2", "dense", "logits")]

    assert sizes(0.5) == [24, 4, 8, 10]
    assert sizes(0.05) == [8, 4, 8, 10]
    assert sizes(0.5, round_to=1, least=1) == [20, 2, 10, 10]
    assert sizes(1.0) == [40, 4, 20, 10]
    assert sizes(0.5, least=1) == [24, 2, 8, 10]  # fewer channels than a multiple get finer steps


def test_what_has_no_channels_that_may_go_cannot_be_narrower() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="logits")])
    assert shrink(model, 1.0).count_params() == 10
    with pytest.raises(ModelError, match=r"No channel of the model .*logits: leads to the model's output"):
        shrink(model, 0.5)


def test_heads_of_attention_count_as_the_channels_they_have() -> None:
    inputs = keras.Input((4, 16))
    x = layers.MultiHeadAttention(4, 8, name="heads")(layers.Dense(16, name="dense")(inputs), inputs)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(layers.Flatten()(x)))
    assert shrink(model, 0.5).get_layer("heads").num_heads == 2


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"width": 1.2},
        {"width": True},
        {"width": 0.5, "round_to": 0},
        {"width": 0.5, "least": 0},
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=list(options)[-1]):
        shrink(cnn((8, 8, 1), 10), **options)  # type: ignore[arg-type]
