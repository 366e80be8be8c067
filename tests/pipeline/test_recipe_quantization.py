"""Recipes that cluster and quantize: what is refused when they are read, and what before any training."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from trimtab import _choices
from trimtab.errors import ConfigError, ModelError, RecipeError
from trimtab.pipeline import (
    ClusteringOptions,
    PostTrainingOptions,
    QuantizeAwareOptions,
    SensitivityOptions,
    parse_recipe,
)
from trimtab.pipeline._checking import check_steps

BASE = {"name": "base", "do": "train", "model": {"filters": [4], "dense": 0}, "epochs": 1}


def recipe(*steps: dict[str, Any]) -> Any:
    return parse_recipe({"name": "own", "data": "digits", "steps": [BASE, *steps]})


def step(do: str, **settings: Any) -> dict[str, Any]:
    return {"name": settings.pop("name", "it"), "do": do, "from": settings.pop("from_", "base"), **settings}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([step("quantize_aware", weights_bits=2)], "weights_bits"),
        ([step("quantize_aware", rangs="learned")], "Did you mean 'ranges'?"),
        ([step("quantize_aware", temperature=2)], "temperature is about a teacher"),
        ([step("quantize_aware", teacher="itself", epochs=0)], "teaches in training"),
        ([step("quantize_aware", teacher="nobody")], "which no step above it is named"),
        ([step("quantize_aware", percentile=99.9)], "percentile belongs to calibration_method percentile"),
        ([step("quantize_aware", calibration=3)], "calibration"),
        ([step("cluster", clusters=1)], "clusters"),
        ([step("cluster", init="kmeans")], "kmeans++"),
        ([step("cluster", policy="xnnpack")], "policy"),
        ([step("sensitivity", max_drop=0.01)], "max_drop is for a scan of quantization; say scheme"),
        ([step("sensitivity", calibration=100)], "calibration is for a scan of quantization"),
        ([step("sensitivity", scheme="int8", levels=[0.5])], "levels is for a scan of pruning"),
        ([step("sensitivity", scheme="int8", granularity="2:4")], "granularity is for a scan of pruning"),
        ([step("sensitivity", scheme="int8", max_drop=0.5)], "0.005 is half a point"),
        ([step("sensitivity", scheme="float16")], "Known: int8, int4"),
        ([step("export", scheme="int8", keep_float=["a"], keep_float_from="base")], "leave one out"),
        ([step("export", scheme="int8", keep_float_from="base")], "looked for none"),
        (
            [step("sensitivity", name="scan", scheme="int8"), step("export", keep_float_from="scan")],
            "looked for none; name a sensitivity step that has scheme and max_drop",
        ),
        (
            [
                step("sensitivity", name="scan", scheme="int4", max_drop=0.01),
                step("export", scheme="int8", keep_float_from="scan"),
            ],
            "is for int4, but this step has scheme int8",
        ),
        (
            [
                step("cluster", name="other"),
                step("sensitivity", name="scan", scheme="int8", max_drop=0.01),
                step("export", from_="other", scheme="int8-float-io", keep_float_from="scan"),
            ],
            "looked at 'base', but this step exports 'other'",
        ),
        (
            [step("sensitivity", name="scan", scheme="int8"), step("prune", targets="scan")],
            "says nothing about zeros",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_when_it_is_read(steps: list[Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(*steps)
    assert said in str(caught.value), caught.value
    assert "\n" not in str(caught.value)


def test_a_written_recipe_with_all_its_defaults_reads_again() -> None:
    """A scan says only by its values which kind it is."""
    first = recipe(
        step("sensitivity", name="scan", scheme="int8", max_drop=0.005),
        step("sensitivity", name="zeros", levels=[0.5]),
        step("quantize_aware", name="aware", teacher="itself"),
        step("cluster", name="few"),
        step("export", scheme="int8", keep_float_from="scan"),
    )
    assert parse_recipe(first.to_data()) == first


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([step("quantize_aware", keep_float=["conv_9"])], "keep_float='conv_9' names no layer"),
        (
            [step("quantize_aware", name="aware"), step("quantize_aware", from_="aware")],
            "has fake-quantizers already",
        ),
        ([step("quantize_aware", name="aware"), step("export", from_="aware")], "Received: scheme='float32'"),
        (
            [step("quantize_aware", name="aware"), step("export", from_="aware", scheme="int4")],
            "has quantizers for weights of 8 bits",
        ),
        (
            [
                step("quantize_aware", name="aware"),
                step("export", from_="aware", scheme="int8", calibration_method="mse"),
            ],
            "carries its ranges, so nothing is calibrated",
        ),
        (
            [
                step("quantize_aware", name="aware"),
                step("sensitivity", from_="aware", scheme="int8", max_drop=0.01),
            ],
            "has quantizers already, so no layer of its file can be kept float",
        ),
        (
            [step("quantize_aware", name="aware"), step("prune_channels", from_="aware", ratio=0.5)],
            "has fake-quantizers, so no channels can be taken out",
        ),
        ([step("cluster", layers=["conv_9"])], "conv_9"),
        ([step("cluster", types=["Conv3D"])], "Conv3D"),
        ([step("cluster", per="channel", layers=["conv_1"])], "not more than 16 clusters"),
        ([step("export", scheme="float16", equalize=True)], "for the schemes of int8 activations"),
        ([step("export", scheme="int8", keep_float=["conv_9"])], "keep_float='conv_9' names no layer"),
    ],
)
def test_what_a_model_does_not_allow_is_refused_before_training(
    steps: list[Any], said: str, digits: Any
) -> None:
    with pytest.raises((ConfigError, ModelError)) as caught:
        check_steps(recipe(*steps), digits)
    assert "step 'it': " in str(caught.value)
    assert said in str(caught.value), caught.value


def test_too_few_training_images_are_found_before_training(digits: Any) -> None:
    import dataclasses

    few = dataclasses.replace(digits, train=digits.train.take(np.arange(5)))
    with pytest.raises(ConfigError, match=r"step 'it': .* has 5 training image"):
        check_steps(recipe(step("export", scheme="int8")), few)


def test_words_and_values_are_those_of_the_verbs() -> None:
    import inspect

    import trimtab
    from trimtab.clustering._initial import INITS
    from trimtab.clustering._options import PER
    from trimtab.exporting._post_training import CALIBRATION_METHODS
    from trimtab.quantization._fake_quantizer import RANGES
    from trimtab.training._sharing_optimizer import GRADIENTS

    for words, known in (
        (_choices.ClusterInit, INITS),
        (_choices.ClusterPer, PER),
        (_choices.SharedGradients, GRADIENTS),
        (_choices.Ranges, RANGES),
        (_choices.CalibrationMethod, CALIBRATION_METHODS),
    ):
        assert set(get_args(words)) == set(known)
    other = {"augmentation", "types", "schedule", "max_drop", "scheme"}
    for options, verb in (
        (ClusteringOptions, trimtab.cluster),
        (QuantizeAwareOptions, trimtab.quantize_aware),
        (PostTrainingOptions, trimtab.export),
        (SensitivityOptions, trimtab.quantization.sensitivity),
    ):
        usual = {name: entry.default for name, entry in inspect.signature(verb).parameters.items()}
        for name, field in options.model_fields.items():
            if name in usual and name not in other and field.default is not None:
                assert field.default == usual[name], (verb, name)
