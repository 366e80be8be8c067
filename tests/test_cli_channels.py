"""The commands about channels and teachers: what they refuse, what they print, and how they end."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(folder: Path, small_cnn: Any) -> str:
    small_cnn.save("a.keras")
    return "a.keras"


PRUNE = ("prune-channels", "a.keras", "--data", "digits")
TEACH = ("distill", "a.keras", "--teacher", "a.keras", "--data", "digits")


def flat(text: str) -> str:
    """The words of a message that was drawn in a box."""
    return " ".join(re.split(r"[\s│╭╮╰╯─]+", text))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (PRUNE, "--ratio, --parameters, --macs, --file-size or --latency"),
        ((*PRUNE, "--ratio", 0.5, "--macs", "50%"), "one target at a time; leave --macs out"),
        ((*PRUNE, "--ratio", 0), "--ratio: input should be greater than 0"),
        ((*PRUNE, "--ratio", 1), "--ratio: input should be less than 1"),
        ((*PRUNE, "--macs", "half"), "is no amount"),
        ((*PRUNE, "--file-size", "-5"), "is no amount"),
        ((*PRUNE, "--latency", "soon"), "'2ms'"),
        ((*PRUNE, "--ratio", 0.5, "--importance", "l3"), "fpgm"),
        ((*PRUNE, "--ratio", 0.5, "--ranking", "layer"), "global"),
        ((*PRUNE, "--ratio", 0.5, "--rounds", 3), "--rounds belongs to --schedule iterative"),
        ((*PRUNE, "--ratio", 0.5, "--schedule", "iterative", "--epochs", 0), "give --epochs"),
        ((*PRUNE, "--ratio", 0.5, "--alpha", 0.5), "--alpha is about a teacher; name one with --teacher"),
        ((*PRUNE, "--ratio", 0.5, "--teacher", "b.keras"), "there is no such file"),
        ((*PRUNE, "--ratio", 0.5, "--teacher", "itself", "--epochs", 0), "give --epochs, or leave it out"),
        ((*PRUNE, "--ratio", 0.5, "--normalization", "sum"), "max"),
        ((*PRUNE, "--ratio", 0.5, "--max-ratio", 1), "--max-ratio: input should be less than 1"),
        ((*PRUNE, "--ratio", 0.5, "--strength", 0.1), "--strength belongs to --sparsity-learning"),
        (
            (*PRUNE, "--ratio", 0.5, "--sparsity-epochs", 3),
            "--sparsity-epochs belongs to --sparsity-learning",
        ),
        ((*PRUNE, "--ratio", 0.5, "--out", "b.h5"), "ends in .keras"),
        ((*PRUNE[:2], "--ratio", 0.5), "add --data, or say --epochs 0"),
        (
            (*PRUNE[:2], "--ratio", 0.5, "--epochs", 0, "--importance", "taylor"),
            "looks at images; add --data",
        ),
        ((*TEACH[:2], "--data", "digits"), "--teacher"),
        ((*TEACH, "--temperature", 0), "--temperature: input should be greater than 0"),
        ((*TEACH, "--alpha", 2), "--alpha: input should be less than or equal to 1"),
        ((*TEACH, "--feature", "conv_1"), "--feature needs STUDENT=TEACHER"),
        ((*TEACH, "--attention", "=conv_1"), "--attention needs STUDENT=TEACHER"),
        ((*TEACH, "--feature-weight", 2), "--feature-weight belongs to --feature"),
        ((*TEACH, "--attention-weight", 2), "--attention-weight belongs to --attention"),
        ((*TEACH, "--attention", "a=b", "--attention-weight", -1), "--attention-weight: input should be"),
        ((*TEACH, "--cache", "disk"), "views"),
        ((*TEACH, "--out", "b.txt"), "ends in .keras"),
        (("channels", "b.keras"), "does not exist"),
        (("channels", "a.keras", "--out", "a.jpg"), "ends in .png"),
        (("train", "--data", "digits", "--trainable", ","), "--trainable: give all, head, a number"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_loaded(
    cli: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], expected: str
) -> None:
    def loads(*_: object, **__: object) -> None:
        raise AssertionError("something was loaded")

    for place in ("prune_channels", "distill", "channels", "training"):
        module = importlib.import_module(f"trimtab.cli._{place}")
        monkeypatch.setattr(module, "import_backend", loads)
        if hasattr(module, "load_images"):
            monkeypatch.setattr(module, "load_images", loads)
    (folder / "a.keras").write_bytes(b"nothing reads this")
    result = cli(*words)
    assert result.code == 2
    assert expected in flat(result.err)
    assert "Traceback" not in result.err
    assert len([line for line in result.err.splitlines() if line.startswith("Error")]) == 1
    assert [path.name for path in folder.iterdir()] == ["a.keras"]


def test_wrong_options_come_without_a_backend(folder: Path) -> None:
    (folder / "a.keras").touch()
    code = (
        "import sys\n"
        "from trimtab.cli import main\n"
        "sys.argv = 'trimtab prune-channels a.keras --data digits --macs many'.split()\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 2, stop.code\n"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'numpy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*PRUNE, "--ratio", 0.5, "--layer", "conv_3"), "Did you mean 'conv_"),
        ((*PRUNE, "--ratio", 0.5, "--exclude", "conv_3"), "Did you mean 'conv_"),
        ((*PRUNE, "--parameters", 5), "parameters=5 cannot be met"),
        ((*TEACH, "--feature", "conv_3=conv_1"), "conv_3"),
        ((*TEACH, "--attention", "conv_1=conv_3"), "conv_3"),
        (("train", "--model", "a.keras", "--data", "digits", "--trainable", "conv_3"), "Did you mean 'conv_"),
    ],
)
def test_what_the_model_does_not_have_is_refused(
    cli: Callable, model: str, words: tuple[object, ...], expected: str
) -> None:
    result = cli(*words, "--limit", 200)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert expected in result.err
    assert [path.name for path in Path().iterdir()] == ["a.keras"]


def test_a_teacher_of_other_images_is_refused(cli: Callable, model: str) -> None:
    layers = [keras.Input((9, 9, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    keras.Sequential(layers).save("b.keras")
    result = cli("distill", model, "--teacher", "b.keras", "--data", "digits", "--limit", 200)
    assert result.code == 2
    assert "This teacher cannot teach" in result.err
    result = cli(*PRUNE, "--ratio", 0.5, "--teacher", "b.keras", "--limit", 200)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_channels_shows_what_lives_and_dies_together(cli: Callable, model: str) -> None:
    shown = cli("channels", model)
    assert shown.code == 0, shown.err
    assert re.search(r"│ conv_1 +│", shown.out)
    assert re.search(r"│ logits +│ +10 │ .*output", shown.out)
    assert max(map(len, shown.out.splitlines())) <= 200
    record = json.loads(cli("channels", model, "--json").out)
    assert record["file"] == "a.keras"
    groups = {group["name"]: group for group in record["groups"]}
    assert (groups["conv_1"]["channels"], groups["conv_1"]["locked"]) == (8, None)
    assert groups["logits"]["locked"]
    assert groups["conv_2"]["half"]["parameters"] > 0


def test_channels_are_drawn(cli: Callable, model: str) -> None:
    record = json.loads(cli("channels", model, "--out", "groups.png", "--json").out)
    assert record["picture"] == "groups.png"
    assert Path("groups.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_without_a_graph_is_refused(
    cli: Callable, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trimtab

    class Own(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    monkeypatch.setattr(trimtab, "load_model", lambda _: Own())
    result = cli("channels", model)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_channels_go_without_images(cli: Callable, model: str) -> None:
    result = cli("prune-channels", model, "--macs", "60%", "--epochs", 0, "--out", "b.keras", "--json")
    assert result.code == 0, result.err
    record = json.loads(result.out)
    assert record["model"] == "b.keras"
    assert record["macs"][1] <= 0.6 * record["macs"][0]
    assert record["history"] is None
    assert keras.models.load_model("b.keras").count_params() == record["parameters"][1]
    assert sorted(path.name for path in Path().iterdir()) == ["a.keras", "b.keras"]


def test_the_model_as_it_was_teaches_the_smaller_one(cli: Callable, model: str) -> None:
    words = ("--ratio", 0.5, "--teacher", "itself", "--epochs", 1, "--limit", 200, "--out", "b.keras")
    result = cli(*PRUNE, *words)
    assert result.code == 0, result.err
    assert re.search(r"│ conv_2 +│ +16 │ +8 │", result.out)
    assert re.search(r"│ parameters +│", result.out)
    assert "Asked: ratio=0.5" in result.out
    assert "logits was left alone" in result.out
    assert "Validation accuracy" in result.out
    assert sorted(path.name for path in Path().iterdir()) == ["a.keras", "b.keras"]


def test_two_teachers_teach_one_student(cli: Callable, model: str) -> None:
    from trimtab import zoo

    keras.models.load_model(model).save("c.keras")
    zoo.cnn((8, 8, 1), 10, filters=(4,), dense=8).save("s.keras")
    words = ("distill", "s.keras", "--teacher", model, "--teacher", "c.keras", "--data", "digits")
    words = (*words, "--limit", 200, "--epochs", 1, "--feature", "conv_1=conv_1", "--alpha", 0.3)
    shown = cli(*words, "--out", "t.keras")
    assert shown.code == 0, shown.err
    assert "val. accuracy" in shown.out
    assert "Teacher a.keras: " in shown.out
    record = json.loads(cli(*words, "--out", "u.keras", "--json").out)
    assert [teacher["file"] for teacher in record["teachers"]] == ["a.keras", "c.keras"]
    assert (record["alpha"], record["temperature"]) == (0.3, 4.0)
    assert (
        keras.models.load_model("u.keras").count_params() == keras.models.load_model("s.keras").count_params()
    )


@pytest.mark.parametrize(
    "other",
    [
        ("--importance", "random"),
        ("--ranking", "group"),
        ("--round-to", "4"),
        ("--no-recalibrate",),
        ("--max-ratio", "0.8"),
        ("--exclude", "dense"),
        ("--schedule", "iterative"),
        ("--sparsity-learning", "kernels"),
        ("--teacher", "itself"),
        ("--teacher", "b.keras"),
        ("--epochs", "2"),
    ],
)
def test_another_attempt_has_another_checkpoint(
    cli: Callable, model: str, small_cnn: Any, monkeypatch: pytest.MonkeyPatch, other: tuple[str, ...]
) -> None:
    import trimtab

    small_cnn.save("b.keras")
    found = []

    def stop(*_: object, checkpoint: Path, **__: object) -> None:
        found.append(checkpoint)
        raise KeyboardInterrupt

    monkeypatch.setattr(trimtab, "prune_channels", stop, raising=False)
    words = (*PRUNE, "--ratio", 0.5, "--limit", 200)
    for attempt in (words, words, (*words, *other)):
        result = cli(*attempt)
        assert result.code == 130
        assert "Stopped before the first epoch was done." in result.err
    assert found[0] == found[1] != found[2]


def test_only_the_head_is_trained(cli: Callable, model: str) -> None:
    words = ("train", "--model", model, "--data", "digits", "--limit", 200, "--epochs", 1, "--out", "b.keras")
    for trainable, learned in (("head", {"dense", "logits"}), ("conv_2", {"conv_2", "dense", "logits"})):
        assert cli(*words, "--trainable", trainable).code == 0
        before, after = (keras.models.load_model(name) for name in ("a.keras", "b.keras"))
        moved = {
            layer.name
            for layer in before.layers
            if layer.weights
            and (layer.get_weights()[0] != after.get_layer(layer.name).get_weights()[0]).any()
        }
        assert moved == learned
