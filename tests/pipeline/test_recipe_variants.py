"""Variants: one recipe at several scales, chosen by one word, and gone once they are chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from trimtab.errors import RecipeError
from trimtab.pipeline import builtin_recipes, parse_recipe, read_recipe

RECIPE: dict[str, Any] = {
    "name": "scaled",
    "title": "At full length",
    "data": "mnist",
    "steps": [
        {"name": "first", "do": "train", "model": {"architecture": "cnn", "dense": 64}, "epochs": 9},
        {"name": "v1.5", "do": "prune", "from": "first", "augmentation": {"flip": True}},
        {"name": "file", "do": "export", "from": "v1.5"},
    ],
    "benchmark": {"subjects": ["first", "v1.5", "file"]},
    "variants": {
        "small": {
            "title": "In short",
            "data": {"limit": 100},
            "steps": {
                "first": {"model": {"architecture": "resnet", "depth": 8}, "epochs": 1},
                "v1.5": {"augmentation": {"shift": 2}, "sparsity": 0.5},
            },
        },
        "shorter": {"steps": {"file": None}, "benchmark": {"subjects": None}},
    },
}


def at(*overrides: str, **changes: Any) -> Any:
    return parse_recipe({**RECIPE, **changes}, overrides=overrides)


def test_without_a_word_it_is_as_written() -> None:
    recipe = at()
    assert (recipe.variant, recipe.title, recipe.data.limit) == ("full", "At full length", None)
    assert recipe == at("scale=full") == at(scale="full")


def test_a_variant_says_only_what_differs() -> None:
    recipe = at("scale=small")
    assert (recipe.variant, recipe.name, recipe.title) == ("small", "scaled", "In short")
    assert (recipe.data.source, recipe.data.limit) == ("mnist", 100)
    first, pruned, file = recipe.steps
    assert first.epochs == 1
    assert (pruned.augmentation.flip, pruned.augmentation.shift, pruned.sparsity) == (True, 2, 0.5)
    assert file.scheme == "float32"


def test_another_architecture_brings_its_own_options() -> None:
    model = at("scale=small").steps[0].model
    assert (model.architecture, model.options) == ("resnet", {"depth": 8})
    kept = {"small": {"steps": {"first": {"model": {"dense": 8, "dropout": 0.1}}}}}
    model = at("scale=small", variants=kept).steps[0].model
    assert (model.architecture, model.options) == ("cnn", {"dense": 8, "dropout": 0.1})


def test_a_step_and_a_value_may_be_left_out() -> None:
    recipe = at("scale=shorter")
    assert [step.name for step in recipe.steps] == ["first", "v1.5"]
    assert recipe.measured == ("first", "v1.5")


def test_the_recipe_itself_may_ask_for_one() -> None:
    assert at(scale="small").variant == "small"
    assert at("scale=full", scale="small").variant == "full"


def test_overrides_change_what_was_chosen_in_whatever_order() -> None:
    for overrides in (["scale=small", "steps.first.epochs=4"], ["steps.first.epochs=4", "scale=small"]):
        assert at(*overrides).steps[0].epochs == 4
    assert at("scale=small", "variants.small.data.limit=50").data.limit == 50
    assert at("variants.small.data.limit=50").data.limit is None


def test_what_was_chosen_is_a_recipe_of_its_own(tmp_path: Path) -> None:
    recipe = at("scale=small")
    content = recipe.to_data()
    assert content["variant"] == "small"
    assert not {"scale", "variants"} & set(content)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert read_recipe(tmp_path / "recipe.yaml") == recipe


@pytest.mark.parametrize(
    ("recipe", "overrides", "words"),
    [
        (RECIPE, ["scale=smal"], r"no variant is named 'smal'\. Did you mean 'small'\? Known: full, small, "),
        (RECIPE, ["scale=3"], r"no variant is named 3\."),
        (RECIPE, ["scale=[small]"], r"no variant is named \['small'\]"),
        (RECIPE, ["variant=small"], r"say --set scale=small"),
        ({**RECIPE, "variant": "small"}, [], r"to choose a variant, say scale"),
        ({**RECIPE, "variants": ["small"]}, [], r"variants: this maps names"),
        ({**RECIPE, "variants": {"small": 3}}, [], r"variants: small: what differs is a mapping"),
        (
            {**RECIPE, "variants": {"full": {}}},
            [],
            r"variants: full: so the recipe as it is written is called",
        ),
        ({**RECIPE, "variants": {"a": {"name": "b"}}}, [], r"variants: a: 'name' is the recipe's own"),
        ({**RECIPE, "variants": {"a": {"variants": {}}}}, [], r"'variants' is the recipe's own"),
        (
            {**RECIPE, "variants": {"a": {"steps": {"frist": {}}}}},
            ["scale=a"],
            r"variants: a: no step is named 'frist'\. Did you mean 'first'\?",
        ),
        ({**RECIPE, "variants": {"a": {"steps": []}}}, ["scale=a"], r"maps the names of steps"),
        (
            {**RECIPE, "variants": {"a": {"steps": {"first": 3}}}},
            ["scale=a"],
            r"or null to leave the step out",
        ),
        ({**RECIPE, "variants": {"a": {"steps": {"first": None}}}}, ["scale=a"], r"starts from 'first'"),
        ({**RECIPE, "variants": {"a": {"dta": "digits"}}}, ["scale=a"], r"unknown key 'dta'\. .*'data'"),
    ],
)
def test_each_mistake_gets_one_clear_line(recipe: dict[str, Any], overrides: list[str], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        parse_recipe(recipe, overrides=overrides)
    assert "\n" not in str(caught.value)


def test_a_recipe_without_variants_has_no_scale() -> None:
    with pytest.raises(
        RecipeError, match=r"quickstart\.yaml: scale: this recipe has no variants, so 'small'"
    ):
        read_recipe("quickstart", ["scale=small"])
    with pytest.raises(RecipeError, match="has no variants"):
        at(variants=None, scale="small")
    assert read_recipe("quickstart").variant is None


def test_a_run_is_at_one_scale_for_good() -> None:
    with pytest.raises(RecipeError, match="this is the variant 'small' of a recipe, and knows no other"):
        parse_recipe(at("scale=small").to_data(), overrides=["scale=full"])


@pytest.mark.parametrize("name", builtin_recipes())
def test_the_variants_of_built_in_recipes_are_recipes(name: str) -> None:
    from importlib.resources import files

    content = yaml.safe_load(files("trimtab").joinpath("recipes", f"{name}.yaml").read_text())
    for scale in content.get("variants", {}):
        recipe = read_recipe(name, [f"scale={scale}"])
        assert recipe.baseline in recipe.measured
        assert parse_recipe(recipe.to_data()) == recipe


def test_paths_inside_a_variant_are_seen_from_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    step = {"name": "a", "do": "train", "model": {"architecture": "resnet50", "weights": "none"}}
    change = {"a": {"model": {"weights": "own.weights.h5"}}}
    recipe = {"name": "own", "data": "digits", "steps": [step]}
    recipe["variants"] = {"own": {"data": {"source": "photos"}, "steps": change}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(recipe))
    assert read_recipe(tmp_path / "own.yaml").steps[0].model.options["weights"] == "none"  # type: ignore[union-attr]
    own = read_recipe(tmp_path / "own.yaml", ["scale=own"])
    assert own.data.source == str(tmp_path / "photos")
    assert own.steps[0].reads == (tmp_path / "own.weights.h5",)
    assert own.steps[0].model.options["weights"] == str(tmp_path / "own.weights.h5")  # type: ignore[union-attr]
