"""The step `tune`: what it refuses, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import trimtab
from trimtab.errors import ConfigError, RecipeError
from trimtab.pipeline import parse_recipe, read_space

SPACE: dict[str, Any] = {
    "model": {"filters": {"choice": [[4, 8], [8, 16]]}, "dense": 16},
    "epochs": 1,
    "batch_size": 32,
}


def recipe(**step: Any) -> dict[str, Any]:
    tune = {"name": "tuned", "do": "tune", "space": SPACE, "trials": 2, **step}
    return {
        "name": "tried",
        "data": {"source": "digits", "limit": 200},
        "steps": [tune, {"name": "file", "do": "export", "from": "tuned"}],
        "benchmark": {"latency": False, "memory": False},
    }


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"space": "cnnn"}, "none for the family 'cnnn'. Did you mean 'cnn'"),
        ({"space": {**SPACE, "lerning_rate": 1}}, "unknown parameter 'lerning_rate'. Did you mean"),
        ({"space": {"epochs": 1}}, "nothing to choose"),
        ({"space": {"learning_rate": {"low": 2, "high": 1}}}, "learning_rate: low=2 is above high=1"),
        ({"epochs": 3}, "a space of your own says it itself"),
        ({"trials": 0}, "greater than or equal to 1"),
        ({"trails": 3}, "Did you mean 'trials'"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_read(step: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match="step 'tuned'") as refused:
        parse_recipe(recipe(**step))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_it_is_written_down_and_read_again() -> None:
    plan = parse_recipe(recipe())
    assert parse_recipe(plan.to_data()) == plan
    assert plan.steps[0].space == SPACE  # type: ignore[union-attr]


@pytest.mark.usefixtures("no_report")
def test_it_makes_a_model_that_others_start_from(tmp_path: Path) -> None:
    plan = parse_recipe(recipe())
    result = trimtab.run(plan, tmp_path / "run")
    record = result.steps["tuned"]["record"]
    folder = tmp_path / "run" / "steps" / "tuned"
    told = json.loads((folder / "tuning.json").read_text())
    assert record["trials"] == len(told["trials"]) == 2
    assert record["val_accuracy"] == max(trial["val_accuracy"] for trial in told["trials"])
    assert record["baseline_val_accuracy"] == told["trials"][0]["val_accuracy"]
    assert {row["name"] for row in result.benchmark["rows"]} == {"tuned", "file"}
    assert not list(folder.glob("checkpoint-*"))
    assert trimtab.run(plan, tmp_path / "run", resume=True).reused == ("tuned", "file", "benchmark")


def test_images_too_small_for_it_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    space = {"model": {"filters": {"choice": [[4], [4, 4, 4, 4]]}}}
    with pytest.raises(ConfigError, match=r"step 'tuned': the space's model.filters = \(4, 4, 4, 4\)"):
        trimtab.run(parse_recipe(recipe(space=space)), tmp_path / "run")
    assert not (tmp_path / "run" / "steps").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [", "is not valid YAML in line"),
        ("- a\n- b", "a space maps names to what they may be"),
        ("epochs: 1\nepochs: 2", "stands twice"),
        ("dropout: {low: 1, hihg: 2}", "space.yaml: dropout: unknown key 'hihg'"),
        ("a: !!python/object:os.system {}", "is not valid YAML"),
    ],
)
def test_space_files_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(RecipeError, match=said) as refused:
        read_space(tmp_path / "space.yaml")
    assert "\n" not in str(refused.value)
