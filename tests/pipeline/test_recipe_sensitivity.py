"""The sensitivity step in a recipe: what it may say, who may start from it, what is refused beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from trimtab.data import ImageData
from trimtab.errors import ConfigError, RecipeError
from trimtab.pipeline import parse_recipe
from trimtab.pipeline._checking import check_steps


def recipe(scan: dict[str, Any], prune: dict[str, Any], *more: dict[str, Any]) -> dict[str, Any]:
    """A base, a scan of it and a pruning by it, each changed as said."""
    small = {"architecture": "cnn", "filters": [4, 4], "dense": 8}
    return {
        "name": "scanned",
        "data": "digits",
        "steps": [
            {"name": "base", "do": "train", "model": small},
            *more,
            {"name": "scan", "do": "sensitivity", "from": "base", **scan},
            {"name": "pruned", "do": "prune", "from": "base", "targets": "scan", **prune},
        ],
    }


def test_it_has_defaults_and_is_not_measured() -> None:
    read = parse_recipe(recipe({}, {}))
    scan = read.steps[1]
    assert (scan.levels, scan.images) == ((0.25, 0.5, 0.75, 0.9, 0.95), 2000)  # type: ignore[union-attr]
    assert read.measured == ("base", "pruned")
    assert read.steps[2].parents == ("base", "scan")
    assert parse_recipe(read.to_data()) == read


@pytest.mark.parametrize(
    ("scan", "prune", "words"),
    [
        ({"levels": []}, {}, "step 'scan': levels: .* at least 1 item"),
        ({"levels": [0.5, 1.0]}, {}, "step 'scan': .*less than 1"),
        ({"images": 0}, {}, "step 'scan': images: "),
        ({"granularity": "4by1"}, {}, "There is no granularity '4by1'"),
        ({"imges": 9}, {}, r"unknown key 'imges'\. Did you mean 'images'\?"),
        ({"from": "pruned"}, {}, "starts from 'pruned', which no step above it is named"),
        ({}, {"targets": "base"}, "takes its targets from 'base', which is no sensitivity step"),
        ({}, {"targets": "scn"}, r"'scn', which no step above it is named\. Did you mean 'scan'\?"),
        ({}, {"from": "scan", "targets": None}, r"looks at a model and makes none\. Start from 'base'"),
        ({}, {"from": "scan"}, r"looks at a model and makes none\. Start from 'base'"),
        ({}, {"layers": ["dense"]}, "the targets name the layers to prune"),
        ({}, {"sparsity": {"dense": 0.5}}, "either targets or sparsity says"),
        ({}, {"sparsity": 0.99}, "step 'pruned': sparsity: no layer goes further than 0.98"),
        ({"granularity": "2:4", "levels": [0.9]}, {}, "step 'scan': .* the lowest of levels is 0.9"),
        ({"granularity": "16x8"}, {}, r"'pruned' has granularity unstructured, but .* 'scan' are for 16x8"),
        ({}, {"granularity": "16x8"}, r"'pruned' has granularity 16x8, but .* 'scan' are for unstructured"),
        ({"policy": "xnnpack", "layers": ["dense"]}, {}, "leave out layers and types"),
    ],
)
def test_what_makes_no_sense_is_refused(scan: dict[str, Any], prune: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parse_recipe(recipe(scan, prune))


def test_it_cannot_be_measured_exported_or_selected() -> None:
    plain = recipe({}, {})
    with pytest.raises(RecipeError, match=r"benchmark\.subjects names 'scan', which is not measured"):
        parse_recipe({**plain, "benchmark": {"subjects": ["base", "scan"]}})
    for step in (
        {"name": "file", "do": "export", "from": "scan"},
        {"name": "best", "do": "select", "among": ["scan"]},
        {"name": "more", "do": "train", "from": "scan"},
    ):
        with pytest.raises(RecipeError, match="'scan', which looks at a model and makes none"):
            parse_recipe({**plain, "steps": [*plain["steps"], step]})


def test_mistakes_are_found_before_anything_is_trained(digits: ImageData) -> None:
    check_steps(parse_recipe(recipe({}, {})), digits)
    with pytest.raises(ConfigError, match=r"step 'scan': .* no layer 'dens'"):
        check_steps(parse_recipe(recipe({"layers": ["dens"]}, {})), digits)
    other = {"name": "other", "do": "train", "model": {"architecture": "cnn", "filters": [4], "dense": 8}}
    with pytest.raises(ConfigError, match=r"'scan', which looks at 'base', a model with other layers than"):
        check_steps(parse_recipe(recipe({}, {"from": "other"}, other)), digits)
    blocks = {"granularity": "8x8", "layers": ["dense"]}
    with pytest.raises(ConfigError, match=r"step 'scan': .* lowest of levels is 0\.9"):
        check_steps(parse_recipe(recipe({**blocks, "levels": [0.9]}, {"granularity": "8x8"})), digits)
    with pytest.raises(ConfigError, match=r"step 'pruned': sparsity 0\.9 .* at most 0\.5"):
        check_steps(parse_recipe(recipe(blocks, {"granularity": "8x8", "sparsity": 0.9})), digits)
    with pytest.raises(ConfigError, match="step 'scan': XNNPACK can use zeros nowhere"):
        check_steps(parse_recipe(recipe({"policy": "xnnpack"}, {})), digits)
    longer = {"name": "longer", "do": "train", "from": "base"}
    check_steps(parse_recipe(recipe({}, {"from": "longer"}, longer)), digits)
