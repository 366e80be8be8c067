"""The commands about pruning: what they refuse, what they print, and how they end."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest

from trimtab import _choices


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(folder: Path, small_cnn: Any) -> str:
    small_cnn.save("a.keras")
    return "a.keras"


def half_zero(model: Any, *, but: str = "") -> Any:
    """Sets each second weight to zero, except in one layer."""
    for layer in model.layers:
        if layer.weights and layer.name != but and hasattr(layer, "kernel"):
            kernel = np.array(layer.kernel.value)
            kernel.reshape(-1)[::2] = 0
            layer.kernel.assign(kernel)
    return model


PRUNE = ("prune", "a.keras", "--data", "digits")
SCAN = ("sensitivity", "a.keras", "--data", "digits")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*PRUNE, "--sparsity", 1.5), "sparsity"),
        ((*PRUNE, "--schedule", "polinomial"), "polynomial"),
        ((*PRUNE, "--granularity", "2:1"), "N of each M weights stay"),
        ((*PRUNE, "--granularity", "unstructurd"), "Did you mean 'unstructured'?"),
        ((*PRUNE, "--granularity", "2:4", "--sparsity", 0.8), "makes 0.5 of the weights zero"),
        ((*PRUNE, "--importance", "tailor"), "taylor"),
        ((*PRUNE, "--ranking", "world"), "global"),
        ((*PRUNE, "--rewind", "weights"), "--rewind belong to --schedule iterative"),
        ((*PRUNE, "--schedule", "iterative", "--rewind-to", "a.keras"), "add --rewind weights"),
        ((*PRUNE, "--rounds", 3), "--rounds and --rewind belong to --schedule iterative"),
        ((*PRUNE, "--schedule", "one-shot", "--frequency", 3), "leave --frequency out."),
        ((*PRUNE, "--policy", "xnnpack", "--type", "Dense"), "leave out --layer and --type."),
        ((*PRUNE, "--learning-rate", "inf"), "--learning-rate: input should be a finite number"),
        ((*PRUNE, "--out", "."), "directory"),
        ((*PRUNE, "--out", "b.h5"), "ends in .keras"),
        ((*PRUNE, "--targets", "a.keras"), "is not JSON"),
        ((*PRUNE, "--targets", "a.keras", "--sparsity", 0.5), "leave one out"),
        (("train", "--data", "digits", "--keep-zeros"), "Name it with --model"),
        (("sparsity", "b.keras"), "does not exist"),
        (("sparsity", "a.keras", "--target", 1), "target"),
        (("sparsity", "a.keras", "--target", 0.9, "--granularity", "2:4"), "makes 0.5 of the weights zero"),
        (("sparsity", "a.keras", "--target", 0.9, "--granularity", "2:4"), "leave --target out"),
        (("sparsity", "a.keras", "--target", 0.9, "--targets", "a.keras"), "leave one out"),
        (("sparsity", "a.keras", "--targets", "a.keras"), "is not JSON"),
        (("sparsity", "a.keras", "--policy", "xnnpack", "--layer", "dense"), "leave out --layer and --type."),
        ((*SCAN, "--levels", "0.5,many"), "such as 0.5,0.9"),
        ((*SCAN, "--levels", "50"), "such as 0.5,0.9"),
        ((*SCAN, "--levels", "0.9", "--granularity", "2:4"), "lowest of --levels is 0.9"),
        ((*SCAN, "--sparsity", 0.99), "no layer goes further than 0.98"),
        (
            (*SCAN, "--sparsity", 0.8, "--granularity", "2:4"),
            "all layers go equally far; leave --sparsity out",
        ),
        ((*SCAN, "--policy", "xnnpack", "--type", "Dense"), "leave out --layer and --type."),
        ((*SCAN, "--out", "a.pdf"), "ends in .png"),
        ((*SCAN, "--out", "a.keras/scan.png"), "a file or folder is in the way"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_loaded(
    cli: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], expected: str
) -> None:
    def loads(*_: object, **__: object) -> None:
        raise AssertionError("something was loaded")

    for place in ("prune", "training", "sparsity", "sensitivity"):
        module = importlib.import_module(f"trimtab.cli._{place}")
        monkeypatch.setattr(module, "import_backend", loads)
        if hasattr(module, "load_images"):
            monkeypatch.setattr(module, "load_images", loads)
    (folder / "a.keras").write_bytes(b"nothing reads this")
    result = cli(*words)
    assert result.code == 2
    assert expected in " ".join(re.split(r"[\s│╭╮╰╯─]+", result.err))
    assert "Traceback" not in result.err
    assert [path.name for path in folder.iterdir()] == ["a.keras"]


def test_wrong_options_come_without_a_backend(folder: Path) -> None:
    (folder / "a.keras").touch()
    code = (
        "import sys\n"
        "from trimtab.cli import main\n"
        "sys.argv = 'trimtab prune a.keras --data digits --granularity 4:2'.split()\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 2, stop.code\n"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--layer", "conv_3"), "Did you mean 'conv_"),
        (("--exclude", "conv_3"), "Did you mean 'conv_"),
        (("--type", "Denze"), "Did you mean 'Dense'?"),
        (("--policy", "xnnpack"), "XNNPACK can use zeros nowhere"),
        (("--granularity", "64x999"), "Nothing is left to prune"),
    ],
)
def test_what_the_model_does_not_have_is_refused(
    cli: Callable, model: str, words: tuple[str, ...], expected: str
) -> None:
    result = cli(*PRUNE, *words)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert expected in result.err
    assert not Path("pruned.keras").exists()


@pytest.mark.parametrize("command", [PRUNE, ("sparsity", "a.keras")])
def test_a_file_of_targets_is_read_alike(
    cli: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """All of it is refused before anything is loaded: what is in a.keras is no model."""
    Path("a.keras").touch()
    given = Path("given.json")
    words = (*command, "--targets", "given.json")
    shares = {"conv_1": 0.0, "logits": 0.5}
    for content, options, expected in [
        ([1], (), "no shares by layer"),
        ({"targets": None, "granularity": "4x1"}, (), "printed without --sparsity"),
        ({"dense": 0.5, "logits": 2}, (), "--targets: a share of zeros is a number"),
        ({"dense": 0.0}, (), "no layer with a share of zeros above 0"),
        (
            shares,
            ("--layer", "logits"),
            "--targets names the layers; leave out --layer,",
        ),
        (
            shares,
            ("--policy", "xnnpack"),
            "--targets names the layers; leave out --layer,",
        ),
        (shares, ("--ranking", "global"), "give one share for all"),
        (shares, ("--granularity", "1:4"), "makes 0.75 of the weights zero, but --targets asks for 0.5"),
        ({"targets": shares, "granularity": "4x1"}, (), "with granularity 4x1, not unstructured"),
        ({"targets": shares, "granularity": "4x1"}, ("--granularity", "1x4"), "4x1, not 1x4"),
    ]:
        given.write_text(json.dumps(content))
        result = cli(*words, *options)
        assert result.code == 2, content
        assert len(result.err.splitlines()) == 1
        assert expected in result.err


def test_a_type_chooses_its_layers(cli: Callable, model: str) -> None:
    words = ("--type", "Dense", "--granularity", "2:4", "--epochs", 1, "--limit", 200, "--json")
    result = cli(*PRUNE, *words)
    assert result.code == 0, result.err
    record = json.loads(result.out)
    assert record["granularity"] == "2:4"
    assert {layer["name"] for layer in record["layers"]} == {"dense", "logits"}
    assert all(layer["zeros"] == layer["size"] / 2 for layer in record["layers"])


def test_rounds_with_the_weights_put_back(cli: Callable, model: str) -> None:
    words = ("--schedule", "iterative", "--rounds", 2, "--rewind", "weights", "--rewind-to", model)
    result = cli(*PRUNE, *words, "--sparsity", 0.75, "--epochs", 1, "--limit", 200, "--json")
    assert result.code == 0, result.err
    record = json.loads(result.out)
    assert len(record["history"]["epochs"]) == 2
    assert all(layer["zeros"] == round(0.75 * layer["size"]) for layer in record["layers"])
    assert sorted(path.name for path in Path().iterdir()) == ["a.keras", "pruned.keras"]


@pytest.mark.parametrize(
    "other",
    [
        ("--granularity", "4x1"),
        ("--importance", "random"),
        ("--ranking", "global"),
        ("--type", "Dense"),
        ("--skip-ends",),
        ("--frequency", "3"),
        ("--schedule", "one-shot"),
        ("--schedule", "iterative"),
        ("--schedule", "iterative", "--rounds", "2"),
        ("--schedule", "iterative", "--rewind", "weights"),
        ("--schedule", "iterative", "--rewind", "weights", "--rewind-to", "b.keras"),
    ],
)
def test_another_attempt_has_another_checkpoint(
    cli: Callable, model: str, small_cnn: Any, monkeypatch: pytest.MonkeyPatch, other: tuple[str, ...]
) -> None:
    import trimtab

    half_zero(small_cnn).save("b.keras")
    found = []

    def stop(*_: object, checkpoint: Path, **__: object) -> None:
        found.append(checkpoint)
        raise KeyboardInterrupt

    monkeypatch.setattr(trimtab.pruning, "prune", stop)
    words = (*PRUNE, "--limit", 200)
    attempts = [words, words, (*words, *other), (*words, *other[:-2])]
    assert [cli(*attempt).code for attempt in attempts[: 4 if len(other) > 2 else 3]] == [130] * len(found)
    assert found[0] == found[1]
    assert len(set(found)) == len(found) - 1


def test_zeros_are_kept_when_a_pruned_model_trains_on(cli: Callable, folder: Path, small_cnn: Any) -> None:
    half_zero(small_cnn).save("a.keras")
    words = ("train", "--data", "digits", "--limit", 200, "--epochs", 1, "--model", "a.keras")
    assert cli(*words, "--out", "kept.keras", "--keep-zeros").code == 0
    assert cli(*words, "--out", "grown.keras").code == 0
    assert cli("sparsity", "kept.keras", "--target", 0.5).code == 0
    assert cli("sparsity", "grown.keras", "--target", 0.5).code == 1


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_sparsity_of_a_model(cli: Callable, folder: Path, small_cnn: Any, ending: str) -> None:
    name = f"a{ending}"
    half_zero(small_cnn, but="dense").save(name)
    shown = cli("sparsity", name)
    assert shown.code == 0, shown.err
    assert "asked" not in shown.out
    missed = cli("sparsity", name, "--target", 0.5)
    assert missed.code == 1
    assert "dense" in missed.out
    assert re.search(r"│ +all +│", missed.out)
    assert "Missed" in missed.out
    record = json.loads(cli("sparsity", name, "--target", 0.5, "--json").out)
    assert record["met"] is False
    assert [layer["name"] for layer in record["layers"] if not layer["met"]] == ["dense"]
    assert record["zeros"] == sum(layer["zeros"] for layer in record["layers"])
    spared = cli("sparsity", name, "--target", 0.5, "--exclude", "dense")
    assert spared.code == 0
    assert "Missed" not in spared.out


def test_a_gate_that_checks_nothing_does_not_pass(cli: Callable, model: str) -> None:
    nothing = ("--exclude", "conv_1", "--exclude", "conv_2", "--exclude", "dense", "--exclude", "logits")
    for words in (("--target", 0.9), ("--granularity", "2:4"), ("--target", 0.9, "--ranking", "global")):
        result = cli("sparsity", model, *words, *nothing)
        assert result.code == 2, words
        assert "nothing was checked" in result.err
    keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()]).save("flat.keras")
    assert cli("sparsity", "flat.keras", "--target", 0.9).code == 2
    assert cli("sparsity", model, *nothing).code == 0  # nothing was asked: it counts


def test_what_was_asked_of_each_layer_is_checked(cli: Callable, folder: Path, small_cnn: Any) -> None:
    half_zero(small_cnn, but="dense").save("a.keras")
    Path("met.json").write_text('{"conv_1": 0.5, "logits": 0.4, "dense": 0}')
    assert cli("sparsity", "a.keras", "--targets", "met.json").code == 0
    Path("missed.json").write_text(
        '{"targets": {"logits": 0.5, "dense": 0.1}, "granularity": "unstructured"}'
    )
    missed = cli("sparsity", "a.keras", "--targets", "missed.json", "--json")
    assert missed.code == 1
    layers = {layer["name"]: layer for layer in json.loads(missed.out)["layers"]}
    assert {name: layer["met"] for name, layer in layers.items()} == {
        "conv_1": None,
        "conv_2": None,
        "dense": False,
        "logits": True,
    }


def test_zeros_strewn_about_are_no_pattern(cli: Callable, folder: Path, small_cnn: Any) -> None:
    """Of the outputs each second one is zero: half of the weights, but nowhere two of four inputs."""
    half_zero(small_cnn).save("a.keras")
    Path("pattern.json").write_text('{"conv_1": 0, "logits": 0.5}')
    words = ("sparsity", "a.keras", "--targets", "pattern.json", "--granularity")
    missed = cli(*words, "2:4")
    assert missed.code == 1
    assert "Missed: logits/kernel" in missed.out
    row = next(line for line in missed.out.splitlines() if "logits" in line and "│" in line)
    assert [cell.strip() for cell in row.split("│")][6:10] == ["50.0%", "50.0%", "50.0%", "no"]
    assert "pattern" not in cli(*words, "unstructured").out
    blocks = json.loads(cli(*words, "16x1", "--json").out)
    assert blocks["met"] is True
    assert {layer["name"]: layer["pattern"] for layer in blocks["layers"]}["logits"] == 0.5


def test_layers_ranked_together_have_no_goal_of_their_own(
    cli: Callable, folder: Path, small_cnn: Any
) -> None:
    half_zero(small_cnn, but="conv_1").save("a.keras")
    words = ("sparsity", "a.keras", "--target", 0.4, "--ranking", "global")
    record = json.loads(cli(*words, "--json").out)
    assert record["met"] is True
    assert record["asked"] == pytest.approx(0.4)
    assert all(layer[name] is None for layer in record["layers"] for name in ("asked", "goal", "met"))
    shown = cli(*words).out
    assert re.search(r"conv_1 .*│ +- │ +- │", shown)
    assert re.search(r"│ +all .*40\.0% │ +yes │", shown)


def test_sparsity_of_what_a_policy_chose(cli: Callable, model: str) -> None:
    refused = cli("sparsity", model, "--target", 0.8, "--policy", "xnnpack")
    assert refused.code == 2
    assert "XNNPACK can use zeros nowhere" in refused.err
    refused = cli(*SCAN, "--policy", "xnnpack")
    assert refused.code == 2
    assert "XNNPACK can use zeros nowhere" in refused.err


def test_sparsity_of_a_file(cli: Callable, folder: Path, small_cnn: Any) -> None:
    half_zero(small_cnn).save("a.keras")
    assert cli("export", "a.keras", "--data", "digits").code == 0
    record = json.loads(cli("sparsity", "a-int8.tflite", "--target", 0.4, "--json").out)
    assert record["met"] is True
    assert all(layer["zeros"] >= layer["size"] // 2 for layer in record["layers"])
    assert len(record["layers"]) == 4
    assert cli("sparsity", "a-int8.tflite", "--target", 0.9).code == 1
    for words in (("--type", "Dense"), ("--policy", "xnnpack"), ("--granularity", "4x1")):
        refused = cli("sparsity", "a-int8.tflite", *words)
        assert refused.code == 2
        assert "no layers to choose from" in refused.err


def test_sensitivity_says_which_layer_hurts(cli: Callable, model: str) -> None:
    words = ("sensitivity", model, "--data", "digits", "--levels", "0.5,0.9", "--images", 100)
    shown = cli(*words)
    assert shown.code == 0, shown.err
    assert all(name in shown.out for name in ("conv_1", "conv_2", "dense", "logits"))
    record = json.loads(cli(*words, "--sparsity", 0.8, "--out", "scan.png", "--json").out)
    assert [[point["sparsity"] for point in layer["points"]] for layer in record["layers"]] == [
        [0.5, 0.9]
    ] * 4
    sizes = {layer["name"]: layer["size"] for layer in record["layers"]}
    total = sum(sizes[name] * share for name, share in record["targets"].items())
    assert total / sum(sizes.values()) == pytest.approx(0.8, abs=0.01)
    assert Path("scan.png").read_bytes().startswith(b"\x89PNG")


def test_a_total_out_of_reach_is_refused_before_the_scan(
    cli: Callable, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trimtab.pruning

    monkeypatch.setattr(trimtab.pruning, "sensitivity", None)
    # Of `logits`, which has 16 inputs and 10 outputs, two blocks of 16x5 can go but one.
    words = (*SCAN, "--granularity", "16x5", "--layer", "logits", "--levels", "0.25,0.5")
    refused = cli(*words, "--sparsity", 0.6)
    assert refused.code == 2
    assert "at most 0.5" in refused.err
    refused = cli(*words[:-1], "0.75,0.9")
    assert refused.code == 2
    assert "at most 0.5" in refused.err


def test_a_scan_is_shown_even_where_its_targets_fail(
    cli: Callable, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.errors import ConfigError
    from trimtab.pruning import Sensitivity

    def fail(*_: object, **__: object) -> None:
        raise ConfigError("it cannot be shared out")

    monkeypatch.setattr(Sensitivity, "targets", fail)
    result = cli(*SCAN, "--levels", "0.5", "--images", 50, "--layer", "dense", "--sparsity", 0.5)
    assert result.code == 2
    assert "it cannot be shared out" in result.err
    assert "Validation accuracy with one layer pruned" in result.out


def test_what_the_scan_says_is_what_pruning_takes(cli: Callable, model: str) -> None:
    words = ("sensitivity", model, "--data", "digits", "--levels", "0.5,0.9", "--images", 100)
    scan = cli(*words, "--sparsity", 0.7, "--json")
    Path("scan.json").write_text(scan.out)
    pruned = cli(*PRUNE, "--targets", "scan.json", "--epochs", 1, "--limit", 200, "--json")
    assert pruned.code == 0, pruned.err
    reached = {layer["name"]: layer["zeros"] / layer["size"] for layer in json.loads(pruned.out)["layers"]}
    targets = json.loads(scan.out)["targets"]
    assert cli("sparsity", "pruned.keras", "--targets", "scan.json").code == 0
    assert "unstructured, not 4x1" in cli(*PRUNE, "--targets", "scan.json", "--granularity", "4x1").err
    assert reached == pytest.approx({name: share for name, share in targets.items() if share}, abs=0.02)


def test_the_words_of_the_command_line_are_those_of_the_library() -> None:
    """What recipes and commands accept, and what the verbs take: one list of options, one list of words."""
    from trimtab import litert, pruning
    from trimtab.exporting._export import _SOFTMAX
    from trimtab.pipeline import PruningOptions, chosen_layers
    from trimtab.pruning._iterative import _REWINDS
    from trimtab.pruning._plan import _KINDS
    from trimtab.pruning.criteria._criterion import _RANKINGS
    from trimtab.training._settings import OPTIMIZERS, SCHEDULES

    own = {"types", "policy", "sparsity_schedule", "schedule"}
    verb = set(inspect.signature(pruning.prune).parameters)
    assert set(PruningOptions.model_fields) - own <= verb
    surroundings = {"model", "data", "from_logits", "seed", "callbacks", "checkpoint", "keep_checkpoint"}
    surroundings |= {"progress", "label", "rewind_to", "schedule", "rate_schedule"}
    assert verb - surroundings <= set(PruningOptions.model_fields)
    for word in get_args(_choices.Importance):
        assert pruning.importance(word).name == word
    for ours, theirs in [
        (_choices.Optimizer, OPTIMIZERS),
        (_choices.RateSchedule, SCHEDULES),
        (_choices.SparsitySchedule, _KINDS),
        (_choices.Ranking, _RANKINGS),
        (_choices.Rewind, _REWINDS),
        (_choices.Scheme, litert.SCHEMES),
        (_choices.Softmax, _SOFTMAX),
    ]:
        assert set(get_args(ours)) == set(theirs)
    policies = {getattr(pruning, name) for name in pruning.__all__} - {pruning.Policy}
    policies = {kind for kind in policies if isinstance(kind, type) and issubclass(kind, pruning.Policy)}
    words = get_args(_choices.Policy)
    assert {type(chosen_layers(None, None, (), word)) for word in words} == policies
    assert len(words) == len(policies)


def test_the_defaults_that_the_help_names_are_those_of_the_library(small_cnn: Any) -> None:
    from trimtab.pruning import Criterion, Sensitivity
    from trimtab.pruning._goal import goal
    from trimtab.pruning._iterative import checked_rewinding

    assert goal(None, None, Criterion(), None).share == _choices.USUAL_SPARSITY
    rewinding = checked_rewinding(None, None, None, Criterion(), "iterative", small_cnn)
    assert rewinding.rounds == _choices.USUAL_ROUNDS
    ceiling = inspect.signature(Sensitivity.targets).parameters["ceiling"].default
    assert ceiling == _choices.LARGEST_TARGET


@pytest.mark.parametrize(
    "name", ["unstructured", "4x1", "16X2", "4x1-max", " 1x1", "04x010", "2:4", "02:4", "1:2", "10:16"]
)
def test_granularities_are_named_alike(name: str) -> None:
    from trimtab.pruning import granularity

    fixed = _choices.pattern_sparsity(name)
    weight = (64, 64)
    assert (fixed or 0) == (granularity(name).limit(weight, 0) if ":" in name else 0)
    assert _choices.granularity_name(name) == granularity(name).name


@pytest.mark.parametrize(
    "name", ["", "4x", "x4", "0x1", "4:2", "2:2", "0:4", "2:4:8", "blocks", "-1x1", "4x1-min"]
)
def test_what_is_no_granularity_is_none_for_both(name: str) -> None:
    from trimtab.errors import ConfigError
    from trimtab.pruning import granularity

    for read in (_choices.pattern_sparsity, granularity):
        with pytest.raises(ConfigError):
            read(name)


def test_layer_types_know_parents_and_nested_models() -> None:
    from trimtab.errors import ConfigError
    from trimtab.pruning import layer_types

    class Own(keras.layers.Dense):
        pass

    inner = keras.Sequential([keras.Input((4,)), Own(3)], name="inner")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), inner])
    assert layer_types(model, ["Dense", "Own"]) == (keras.layers.Dense, Own)
    with pytest.raises(ConfigError, match=r"no layer of type 'Desne'\. Did you mean 'Dense'\?"):
        layer_types(model, ["Desne"])
