"""The steps prune_channels and distill in a recipe: what they may say, who may start from what."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import pytest

from trimtab import _choices
from trimtab.data import ImageData
from trimtab.errors import ConfigError, ModelError, RecipeError, TrimtabError
from trimtab.pipeline import ChannelOptions, DistillationOptions, parse_recipe
from trimtab.pipeline._checking import check_steps

SMALL = {"architecture": "cnn", "filters": [8, 16], "dense": 16}
BASE = {"name": "base", "do": "train", "model": SMALL}


def pruned(**said: Any) -> Any:
    """A recipe that takes channels out of a base."""
    step = {"name": "less", "do": "prune_channels", "from": "base", **said}
    if not {"ratio", "parameters", "macs", "size", "latency"} & set(said):
        step["ratio"] = 0.5
    return {"name": "narrow", "data": "digits", "steps": [BASE, step]}


def taught(**said: Any) -> Any:
    """A recipe in which a base teaches."""
    step = {"name": "student", "do": "distill", "teacher": "base", **said}
    if not {"model", "from"} & set(said):
        step["model"] = {"architecture": "cnn", "filters": [4], "dense": 8}
    return {"name": "taught", "data": "digits", "steps": [BASE, step]}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"ratio": 0}, r"step 'less': ratio: .*greater than 0\. Received: 0"),
        ({"ratio": 1}, r"ratio: .*less than 1"),
        ({"ratio": None, "macs": None}, r"ratio, parameters, macs, size or latency"),
        ({"ratio": 0.5, "macs": "50%"}, r"one target at a time; leave macs out"),
        ({"macs": "half"}, r"macs: macs='half' is no amount"),
        ({"parameters": 0}, r"parameters=0 is no amount"),
        ({"parameters": "100%"}, r"asks for all that there is"),
        ({"size": "fifty"}, r"size: .*'50kB'"),
        ({"latency": "2 years"}, r"latency: .*'2ms'"),
        ({"latency": True}, r"latency=True is no amount"),
        ({"importance": "l3"}, r"importance: 'l3' is not known\. Did you mean 'l\d'\?"),
        ({"ranking": "layer"}, r"ranking: 'layer' is not known"),
        ({"channel_schedule": "iterativ"}, r"Did you mean 'iterative'\?"),
        ({"rounds": 3}, r"rounds belongs to channel_schedule iterative"),
        ({"channel_schedule": "iterative", "epochs": 0}, r"trains between its rounds; give epochs"),
        ({"strength": 0.1}, r"strength belongs to sparsity_learning"),
        ({"alpha": 0.5}, r"alpha is about a teacher; name one with teacher"),
        ({"teacher": "itself", "epochs": 0}, r"teaches in training; give epochs"),
        ({"teacher": "bse"}, r"starts from 'bse', .*Did you mean 'base'\?"),
        ({"from": "itself"}, r"starts from 'itself'"),
        ({"round_to": 0}, r"round_to: .*greater than or equal to 1"),
        ({"layers": []}, r"layers: .*at least 1 item"),
        ({"sparsity": 0.5}, r"unknown key 'sparsity'"),
    ],
)
def test_wrong_channel_pruning_gets_one_clear_line(said: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        parse_recipe(pruned(**said))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"teacher": "bse"}, r"starts from 'bse', .*Did you mean 'base'\?"),
        ({"teacher": []}, r"teacher: .*at least 1 item"),
        ({"teacher": 3}, r"step 'student': teacher: "),
        ({"model": SMALL, "from": "base"}, r"either 'model' .* or 'from'"),
        ({"model": SMALL, "shrink": 0.5}, r"shrink makes a narrower copy .* say 'from' whose"),
        ({"from": "base", "shrink": 1.5}, r"shrink: .*less than 1"),
        ({"temperature": 0}, r"temperature: .*greater than 0"),
        ({"alpha": 1.5}, r"alpha: .*less than or equal to 1"),
        ({"cache": "logit"}, r"cache: 'logit' is not known\. Did you mean 'logits'\?"),
        ({"cache": "logits", "augmentation": {"flip": True}}, r"say views, off or auto"),
        ({"cache": "off", "views": 4}, r"cache off stores none"),
        ({"feature_weight": 2}, r"feature_weight belongs to features"),
        ({"features": ["conv_1"]}, r"step 'student': features"),
        ({"features": [["a", "b", "c"]]}, r"step 'student': features"),
        ({"trainable": "haed"}, r"Did you mean 'head'"),
        ({"keep_zeros": True}, r"unknown key 'keep_zeros'"),
    ],
)
def test_wrong_distillation_gets_one_clear_line(said: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        parse_recipe(taught(**said))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("haed", r"Did you mean 'head'\?"),
        (0, r"trainable: give all, head, a number"),
        (True, r"Received: True"),
        ([], r"Received: \[\]"),
        ([3], r"Received: \[3\]"),
    ],
)
def test_layers_that_cannot_learn_are_refused(value: object, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse_recipe({"name": "a", "data": "digits", "steps": [{**BASE, "trainable": value}]})


@pytest.mark.parametrize("value", ["all", "head", 2, ["conv_*", "dense"]])
def test_layers_that_learn_are_said_in_four_ways(value: object) -> None:
    recipe = parse_recipe({"name": "a", "data": "digits", "steps": [{**BASE, "trainable": value}]})
    said = recipe.steps[0].trainable  # type: ignore[union-attr]
    assert said == (tuple(value) if isinstance(value, list) else value)
    assert parse_recipe(recipe.to_data()) == recipe


def test_resizing_on_the_fly_needs_a_size() -> None:
    with pytest.raises(RecipeError, match="data: resize: on-the-fly needs the size"):
        parse_recipe({"name": "a", "data": {"source": "digits", "resize": "on-the-fly"}, "steps": [BASE]})


def test_parents_are_whom_a_step_starts_from_and_learns_from() -> None:
    assert parse_recipe(pruned()).steps[1].parents == ("base",)
    assert parse_recipe(pruned(teacher="itself")).steps[1].parents == ("base",)
    assert parse_recipe(pruned(teacher="base")).steps[1].parents == ("base",)
    assert parse_recipe(taught()).steps[1].parents == ("base",)
    step = parse_recipe(taught(**{"from": "base", "shrink": 0.5, "teacher": ["base"]})).steps[1]
    assert (step.parents, step.teacher) == (("base",), ("base",))  # type: ignore[union-attr]


def test_a_resolved_recipe_reads_back_the_same() -> None:
    for recipe in (
        pruned(macs="50%", teacher="itself", temperature=3, sparsity_learning="bn"),
        pruned(size="50kB", channel_schedule="iterative", rounds=2),
        taught(teacher=["base"], features=[["conv_1", "conv_2"]], feature_weight=0.5),
    ):
        read = parse_recipe(recipe)
        assert parse_recipe(read.to_data()) == read


def test_what_is_not_trained_is_no_candidate() -> None:
    best = {"name": "best", "do": "select", "among": ["less"]}
    for epochs, refused in ((0, True), (1, False)):
        recipe = pruned(epochs=epochs)
        recipe["steps"] = [*recipe["steps"], best]
        if refused:
            with pytest.raises(RecipeError, match=r"'less' has none"):
                parse_recipe(recipe)
        else:
            parse_recipe(recipe)


@pytest.mark.parametrize(
    ("recipe", "kind", "words"),
    [
        (pruned(layers=["conv_3"]), ConfigError, r"step 'less': .*'conv_3'.* Did you mean 'conv_"),
        (pruned(parameters=3), ConfigError, r"step 'less': parameters=3 cannot be met"),
        (pruned(macs="1%"), ConfigError, r"step 'less': macs=1% cannot be met"),
        (taught(features=[["conv_9", "conv_1"]]), TrimtabError, r"step 'student': .*conv_9"),
        (taught(features=[["conv_1", "conv_9"]]), TrimtabError, r"step 'student': .*conv_9"),
        (taught(model={"architecture": "resnt"}), ConfigError, r"step 'student': .*'resnet'"),
        (taught(model={**SMALL, "weights": "none"}), ConfigError, r"has no option 'weights'"),
    ],
)
def test_what_the_models_cannot_do_is_said_before_training(
    digits: ImageData, recipe: Any, kind: type[TrimtabError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        check_steps(parse_recipe(recipe), digits)
    assert "\n" not in str(caught.value)


def test_layers_that_learn_must_be_there(digits: ImageData) -> None:
    recipe = {"name": "a", "data": "digits", "steps": [{**BASE, "trainable": ["conv_9"]}]}
    with pytest.raises(ConfigError, match=r"step 'base': trainable names 'conv_9'"):
        check_steps(parse_recipe(recipe), digits)


def test_what_follows_a_channel_pruning_is_checked_too(digits: ImageData) -> None:
    """Its layers are known beforehand; how many channels each keeps is not."""
    recipe = pruned(ratio=0.4)
    zeros = {"name": "zeros", "do": "prune", "from": "less", "layers": ["conv_9"]}
    best = {"name": "best", "do": "select", "among": ["less", "base"], "max_parameters": 10}
    with pytest.raises(ConfigError, match=r"step 'zeros': .*conv_9"):
        check_steps(parse_recipe({**recipe, "steps": [*recipe["steps"], zeros]}), digits)
    check_steps(parse_recipe({**recipe, "steps": [*recipe["steps"], best]}), digits)
    with pytest.raises(ModelError, match="no candidate has at most 10 parameters"):
        check_steps(parse_recipe({**recipe, "steps": [BASE, {**best, "among": ["base"]}]}), digits)


def test_the_verbs_get_what_was_said_and_their_own_defaults() -> None:
    arguments = ChannelOptions(macs="50%", channel_schedule="iterative", rounds=2).channel_arguments()
    assert (arguments["schedule"], arguments["rate_schedule"], arguments["macs"]) == (
        "iterative",
        "cosine",
        "50%",
    )
    assert not {"ratio", "teacher", "temperature", "strength", "max_ratio"} & set(arguments)
    arguments = DistillationOptions(features=(("a", "b"),)).distill_arguments()
    assert (arguments["features"], arguments["schedule"]) == ((("a", "b"),), "cosine")
    assert not {"views", "feature_weight"} & set(arguments)


def test_the_options_are_those_of_the_verbs() -> None:
    """One list of options, one list of words, the same defaults."""
    import trimtab
    from trimtab.channel_pruning import channel_importance
    from trimtab.data._load import RESIZES
    from trimtab.distillation._options import CACHES

    around = {"model", "data", "from_logits", "seed", "callbacks", "checkpoint", "keep_checkpoint"}
    around |= {"progress", "label", "schedule", "rate_schedule", "channel_schedule"}
    other = {"teacher", "student", "sample_weight", "wrap_optimizer", "restore_best", "first_best_epoch"}
    other |= {"trainable", "cache_folder"}
    for options, verb in (
        (ChannelOptions, trimtab.prune_channels),
        (DistillationOptions, trimtab.distill),
    ):
        takes = inspect.signature(verb).parameters
        assert set(options.model_fields) - around <= set(takes)
        assert set(takes) - around - other <= set(options.model_fields), verb
        for name in set(options.model_fields) & set(takes) - around:
            ours = options.model_fields[name].default
            assert ours is None or ours == takes[name].default, name
    for word in get_args(_choices.ChannelImportance):
        assert channel_importance(word).name == word
    assert set(get_args(_choices.Resize)) == set(RESIZES)
    assert set(get_args(_choices.LogitCache)) == set(CACHES)
