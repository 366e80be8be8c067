"""Recipes are read whole and checked before anything runs; what is wrong is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from trimtab.errors import RecipeError
from trimtab.pipeline import Recipe, builtin_recipes, parse_recipe, read_recipe

SMALL = {
    "name": "small",
    "data": "digits",
    "steps": [
        {"name": "baseline", "do": "train", "model": {"architecture": "cnn"}},
        {"name": "pruned", "do": "prune", "from": "baseline"},
        {"name": "v1.5-int8", "do": "export", "from": "pruned", "scheme": "int8"},
    ],
}


def changed(**replacements: object) -> dict[str, object]:
    return {**SMALL, **replacements}


@pytest.mark.parametrize("name", builtin_recipes())
def test_built_in_recipes_are_valid_and_named_after_their_files(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.title
    assert recipe.description
    assert recipe.baseline in recipe.measured


def test_the_resolved_recipe_reads_back_the_same(tmp_path: Path) -> None:
    recipe = read_recipe("fashion-mnist")
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(recipe.to_data(), sort_keys=False))
    assert read_recipe(tmp_path / "again.yaml") == recipe


def test_defaults_of_what_is_measured_compared_and_shown() -> None:
    recipe = parse_recipe(SMALL)
    assert recipe.measured == ("baseline", "pruned", "v1.5-int8")
    assert (recipe.baseline, recipe.featured) == ("baseline", "v1.5-int8")


def test_overrides_reach_steps_by_name_sections_and_new_places() -> None:
    overrides = [
        "seed=7",
        "data.limit=100",
        "steps.pruned.sparsity=0.5",
        "steps.baseline.model.filters=[4, 8]",
        "steps.baseline.augmentation.flip=true",
        "steps.v1.5-int8.calibration=50",
    ]
    recipe = parse_recipe(SMALL, overrides=overrides)
    assert recipe.seed == 7
    assert (recipe.data.source, recipe.data.limit) == ("digits", 100)
    train, prune, export = recipe.steps
    assert train.model.options == {"filters": [4, 8]}  # type: ignore[union-attr]
    assert train.augmentation.flip is True  # type: ignore[union-attr]
    assert prune.sparsity == 0.5  # type: ignore[union-attr]
    assert export.calibration == 50  # type: ignore[union-attr]


def test_an_override_leaves_the_given_recipe_alone() -> None:
    parse_recipe(SMALL, overrides=["steps.pruned.sparsity=0.5"])
    assert "sparsity" not in SMALL["steps"][1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steps.pruned.sparsty=0.9", r"step 'pruned': unknown key 'sparsty'\. Did you mean 'sparsity'\?"),
        ("steps.prund.sparsity=0.9", r"no step is named 'prund'\. Did you mean 'pruned'\?"),
        ("data.surce=mnist", r"data: unknown key 'surce'\. Did you mean 'source'\?"),
        ("sed=1", r"unknown key 'sed'\. Did you mean 'seed'\?"),
        (
            "steps.baseline.augmentation.flipp=true",
            r"augmentation: unknown key 'flipp'\. Did you mean 'flip'\?",
        ),
        ("steps.pruned.do=prun", r"no technique 'prun'\. Did you mean 'prune'\?"),
        ("steps.pruned.sparsity=2", r"step 'pruned': sparsity: .*less than 1\. Received: 2"),
        ("steps.baseline.epochs=many", r"step 'baseline': epochs: .*integer.* Received: 'many'"),
        ("steps.pruned.from=basline", r"starts from 'basline', .* Did you mean 'baseline'\?"),
        ("steps.pruned.from=v1.5-int8", r"starts from 'v1.5-int8'"),
        ("steps.pruned.name=baseline", r"two steps are named 'baseline'"),
        ("steps.pruned.name=Not OK", r"cannot be a file name"),
        ("report.featured=nothing", r"report\.featured names 'nothing'"),
        ("benchmark.baseline=nothing", r"benchmark\.baseline names 'nothing'"),
        ("steps.baseline.from=pruned", r"either 'model' .* or 'from'"),
        ("noequals", r"--set needs key=value"),
        ("seed=[", r"not valid YAML"),
        ("name.deep=1", r"nothing named 'deep'"),
        ("seed=-1", r"seed: .*greater than or equal to 0\. Received: -1"),
    ],
)
def test_each_mistake_gets_one_clear_line(override: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        parse_recipe(SMALL, overrides=[override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(steps=[]), "steps"),
        (changed(steps=["train"]), "each step is a mapping"),
        (changed(steps=[{"name": "x"}]), "does not say what it does"),
        ({"name": "x", "steps": SMALL["steps"]}, "the key 'data' is missing"),
        (changed(name="../evil"), "cannot be a file name"),
        (changed(steps=[{"do": "prune", "name": "p", "from": "later"}]), "no step above it"),
        (changed(steps=[{"do": "train", "name": "../up", "model": {}}]), "cannot be a file name"),
    ],
)
def test_wrong_structures_get_one_clear_line(content: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        parse_recipe(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [", "not valid YAML in line"),
        ("- a\n- b\n", "a recipe is a mapping"),
        ("", "a recipe is a mapping"),
        ("name: x\nname: y\n", "line 2: the key 'name' stands twice"),
        ("a: !!python/object/apply:os.system ['touch evil']", "not valid YAML"),
        ("[" * 5000, "nested too deeply|not valid YAML"),
    ],
)
def test_files_that_are_no_recipes(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=words) as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)
    assert not Path("evil").exists()


def test_a_binary_file_and_a_huge_one(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not text in UTF-8"):
        read_recipe(tmp_path / "binary.yaml")
    (tmp_path / "huge.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(RecipeError, match="a page of text"):
        read_recipe(tmp_path / "huge.yaml")


def test_unknown_names_offer_the_nearest_and_list_the_rest() -> None:
    with pytest.raises(RecipeError, match=r"Did you mean 'quickstart'\? Built in: cifar10-resnet50"):
        read_recipe("quikstart")
    with pytest.raises(RecipeError, match=r"there is no file missing\.yaml"):
        read_recipe("missing.yaml")


def test_the_recipe_does_not_change_after_it_was_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_recipe(SMALL).seed = 3  # type: ignore[misc]
    assert isinstance(parse_recipe(SMALL), Recipe)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("steps.v1.5-int8.scheme=int9", r"scheme: 'int9' is not known\. Did you mean 'int8'\?"),
        ("benchmark.subjects=[]", "subjects"),
        ("benchmark={baseline: baseline, subjects: [pruned]}", "'baseline', which is not measured"),
        ("seed=2026-13-45", "not valid YAML"),
        ("steps.pruned.do=[train]", "no technique"),
    ],
)
def test_mistakes_that_would_only_show_after_training(override: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse_recipe(SMALL, overrides=[override])


def test_a_loaded_model_is_no_candidate_by_validation_accuracy() -> None:
    steps = [
        {"name": "mine", "do": "load", "path": "m.keras"},
        {"name": "best", "do": "select", "among": ["mine"]},
    ]
    with pytest.raises(RecipeError, match="'mine' has none"):
        parse_recipe(changed(steps=steps))


def test_the_schemes_of_recipes_and_of_the_command_line_are_those_of_the_converter() -> None:
    from typing import get_args

    from trimtab.litert import SCHEMES
    from trimtab.pipeline.steps import ExportStep

    assert set(get_args(ExportStep.model_fields["scheme"].annotation)) == set(SCHEMES)


def test_relative_paths_are_seen_from_the_recipe_and_not_from_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    recipe = {"name": "own", "data": "photos", "steps": [{"name": "mine", "do": "load", "path": "m.keras"}]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(recipe))
    monkeypatch.chdir("/")
    read = read_recipe(tmp_path / "own.yaml")
    assert read.data.source == str(tmp_path / "photos")
    assert read.steps[0].path == str(tmp_path / "m.keras")  # type: ignore[union-attr]


def test_a_name_stays_a_name(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(SMALL))
    assert read_recipe(tmp_path / "own.yaml").data.source == "digits"


def test_a_name_too_long_for_a_file() -> None:
    with pytest.raises(RecipeError, match="no recipe is named"):
        read_recipe("a" * 300)
