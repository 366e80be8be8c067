"""Pruning in recipes: what a step may say, what the verb gets of it, and what comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trimtab
from trimtab.errors import ConfigError, RecipeError
from trimtab.pipeline import PruningOptions, parse_recipe

RECIPE: dict[str, Any] = {
    "name": "zeros",
    "data": {"source": "digits", "limit": 300},
    "steps": [
        {"name": "base", "do": "train", "model": {"filters": [4], "dense": 8}, "epochs": 1},
        {"name": "pruned", "do": "prune", "from": "base", "epochs": 1},
    ],
    "benchmark": {"latency": False, "memory": False},
}


def step(**said: Any) -> Any:
    """The prune step of a recipe that says this of it."""
    steps = [RECIPE["steps"][0], {**RECIPE["steps"][1], **said}]
    return parse_recipe({**RECIPE, "steps": steps}).steps[1]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"granularity": "2:1"}, r"granularity: .* N of each M weights stay"),
        ({"granularity": "unstructred"}, r"Did you mean 'unstructured'\?"),
        (
            {"granularity": "2:4", "sparsity": 0.8},
            r"makes 0\.5 of the weights zero, but sparsity asks for 0\.8",
        ),
        ({"granularity": 3}, r"no granularity '3'"),
        ({"importance": "tailor"}, r"importance: 'tailor' is not known\. Did you mean 'taylor'\?"),
        ({"ranking": "globl"}, r"Did you mean 'global'\?"),
        ({"sparsity_schedule": "oneshot"}, r"Did you mean 'one-shot'\?"),
        ({"sparsity": {}}, r"sparsity: name the layers"),
        ({"sparsity": {"a": 0.0}}, r"sparsity: no layer with a share of zeros above 0"),
        ({"learning_rate": float("inf")}, r"learning_rate: input should be a finite number\. Received: inf"),
        ({"weight_decay": float("nan")}, r"weight_decay: input should be a finite number"),
        ({"granularity": "2:4", "sparsity": {"a": 0.0, "b": 0.8}}, r"but sparsity asks for 0\.8"),
        ({"sparsity": {"a": 1}}, r"sparsity: .*less than 1\. Received: 1"),
        ({"sparsity": float("nan")}, r"sparsity: .*less than 1\. Received: nan"),
        ({"sparsity": True}, r"sparsity: .*Received: True"),
        ({"sparsity": {"a": 0.5}, "layers": ["a"]}, r"sparsity names the layers"),
        ({"sparsity": {"a": 0.5}, "ranking": "global"}, r"the global ranking finds out by itself"),
        ({"rounds": 3}, r"belong to sparsity_schedule iterative, not to polynomial"),
        ({"rewind": "rate", "sparsity_schedule": "constant"}, r"belong to sparsity_schedule iterative"),
        ({"rewind_to": "base", "sparsity_schedule": "iterative"}, r"rewind_to needs rewind: weights"),
        ({"sparsity_schedule": "iterative", "rewind": "weights", "rewind_to": "bas"}, r"starts from 'bas'"),
        ({"sparsity_schedule": "one-shot", "frequency": 2}, r"leave frequency out"),
        ({"policy": "xnnpack", "types": ["Dense"]}, r"the policy xnnpack chooses the layers"),
        ({"layers": []}, r"layers"),
        ({"keep_zeros": True}, r"unknown key 'keep_zeros'"),
    ],
)
def test_each_mistake_gets_one_clear_line(said: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        step(**said)
    assert "\n" not in str(caught.value)


def test_zeros_are_kept_of_an_earlier_step_only() -> None:
    with pytest.raises(RecipeError, match="keep_zeros is for training a pruned model on"):
        parse_recipe(RECIPE, overrides=["steps.base.keep_zeros=true"])


@pytest.mark.parametrize("pattern", ["1:2", "2:4", "4:8", "1:16", "16:32", "10:59", "3:64"])
def test_a_pattern_needs_no_quotes(pattern: str) -> None:
    """YAML 1.1 reads 2:4 as minutes and seconds."""
    recipe = parse_recipe(RECIPE, overrides=[f"steps.pruned.granularity={pattern}"])
    assert recipe.steps[1].granularity == pattern  # type: ignore[union-attr]
    assert parse_recipe(recipe.to_data()) == recipe


def test_a_layer_with_a_share_of_zero_is_left_alone_beside_a_pattern(small_cnn: Any) -> None:
    """The verb says so too, and scans give such shares."""
    said = step(sparsity={"conv_1": 0, "logits": 0.5}, granularity="2:4")
    assert said.prune_arguments(small_cnn)["sparsity"] == {"conv_1": 0, "logits": 0.5}


def test_a_granularity_is_kept_by_its_usual_name() -> None:
    assert step(granularity=" 04X1").granularity == "4x1"


def test_the_verb_gets_what_was_said_and_its_own_defaults(small_cnn: Any) -> None:
    import keras

    said = step(sparsity_schedule="iterative", rewind="weights", types=["Dense"], schedule="constant")
    arguments = said.prune_arguments(small_cnn)
    assert (arguments["schedule"], arguments["rate_schedule"]) == ("iterative", "constant")
    assert arguments["layers"] == (keras.layers.Dense,)
    assert arguments["rewind"] == "weights"
    assert not {"sparsity", "rounds", "frequency", "types", "policy"} & set(arguments)
    assert type(step(policy="xnnpack").prune_arguments(small_cnn)["layers"]).__name__ == "ForXNNPACK"
    with pytest.raises(ConfigError, match=r"Did you mean 'Conv2D'\?"):
        step(types=["Conv2d"]).prune_arguments(small_cnn)


def test_wrong_options_outside_a_recipe_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^granularity: There is no granularity 'x'") as caught:
        PruningOptions.checked(granularity="x")
    assert "\n" not in str(caught.value)


def test_options_are_called_what_their_user_calls_them() -> None:
    def typed(field: str) -> str:
        return f"--{field}!"

    with pytest.raises(
        ConfigError, match=r"^the policy xnnpack chooses .* leave out --layers! and --types!\.$"
    ):
        PruningOptions.checked(typed, policy="xnnpack", types=("Dense",))
    with pytest.raises(ConfigError, match=r"^--learning_rate!: .* greater than 0\. Received: 0\.0\.$"):
        PruningOptions.checked(typed, learning_rate=0.0)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"exclude": ["conv_1", "dense", "logits"]}, "step 'pruned': Nothing is left to prune"),
        ({"sparsity": {"dens": 0.5}}, r"step 'pruned': .* Did you mean 'dense'\?"),
        ({"types": ["LSTM"]}, "step 'pruned': .* no layer of type 'LSTM'"),
        ({"policy": "xnnpack"}, "step 'pruned': XNNPACK can use zeros nowhere"),
        ({"granularity": "99x99"}, "step 'pruned': Nothing is left to prune"),
    ],
)
def test_what_the_model_cannot_do_is_said_before_training(
    tmp_path: Path, said: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trimtab.training

    monkeypatch.setattr(trimtab.training, "train", None)
    steps = [RECIPE["steps"][0], {**RECIPE["steps"][1], **said}]
    with pytest.raises(ConfigError, match=words):
        trimtab.run(parse_recipe({**RECIPE, "steps": steps}), tmp_path / "run")


def test_a_model_is_rewound_to_one_of_its_kind_only(tmp_path: Path) -> None:
    other = {"name": "other", "do": "train", "model": {"filters": [6], "dense": 8}, "epochs": 1}
    said = {"sparsity_schedule": "iterative", "rewind": "weights", "rewind_to": "other"}
    steps = [RECIPE["steps"][0], other, {**RECIPE["steps"][1], **said}]
    with pytest.raises(ConfigError, match="rewind_to names 'other', whose weights have other shapes"):
        trimtab.run(parse_recipe({**RECIPE, "steps": steps}), tmp_path / "run")


def zeros(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Where the kernels of a step's model are zero."""
    model = trimtab.load_model(folder / "steps" / name / "model.keras")
    return {
        layer.name: np.array(layer.kernel.value) == 0 for layer in model.layers if hasattr(layer, "kernel")
    }


def test_a_pattern_in_rounds_then_trained_on(tmp_path: Path) -> None:
    """The dense layers go in two rounds from early weights; then training keeps their zeros."""
    pruned = {"granularity": "2:4", "types": ["Dense"], "sparsity_schedule": "iterative", "rounds": 2}
    pruned |= {"rewind": "weights", "rewind_to": "base"}
    steps = [
        RECIPE["steps"][0],
        {"name": "longer", "do": "train", "from": "base", "epochs": 1},
        {**RECIPE["steps"][1], "from": "longer", **pruned},
        {"name": "tuned", "do": "train", "from": "pruned", "keep_zeros": True, "epochs": 1},
    ]
    folder = tmp_path / "run"
    trimtab.run(parse_recipe({**RECIPE, "steps": steps}), folder)
    there, after = zeros(folder, "pruned"), zeros(folder, "tuned")
    assert all(there[name].mean() == 0.5 for name in ("dense", "logits"))
    assert not there["conv_1"].any()
    assert all((after[name] >= there[name]).all() for name in there)
    result = json.loads((folder / "steps/pruned/result.json").read_text())
    record = result["record"]
    assert (record["granularity"], record["importance"], record["ranking"]) == ("2:4", "magnitude", "layer")
    assert (record["asked"], record["sparsity"], record["missed"]) == (0.5, 0.5, [])
    assert [turn["number"] for turn in record["rounds"]] == [1, 2]
    assert not list((folder / "steps").rglob("checkpoint*"))
    page = (folder / "report.html").read_text()
    assert "2 of each 4 weights stay" in page
    assert "in 2 rounds with the weights put back to those of base" in page
    assert "trained with its zeros kept" in page
